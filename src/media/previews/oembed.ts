import { z } from 'zod';
import type { PageFacts } from './page.ts';

/** An answer of an oEmbed provider, as far as we use it. */
const oembedSchema = z.looseObject({
  type: z.string().optional().catch(undefined),
  title: z.string().optional().catch(undefined),
  author_name: z.string().optional().catch(undefined),
  provider_name: z.string().optional().catch(undefined),
  thumbnail_url: z.string().optional().catch(undefined),
  url: z.string().optional().catch(undefined),
});

const VALUE_CHARACTERS_MAX = 1_000;

/** What an oEmbed description adds to a page's facts; undefined where it is none. Its HTML is not used. */
export function readOembed(
  json: string,
): { readonly facts: PageFacts; readonly image: string | undefined } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const parsed = oembedSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { type, title, author_name, provider_name, thumbnail_url, url } = parsed.data;
  const facts: Record<string, string> = {};
  const put = (name: string, text: string | undefined): void => {
    if (text !== undefined && text !== '') facts[name] = text.slice(0, VALUE_CHARACTERS_MAX);
  };
  put('og:title', title ?? author_name);
  put('og:site_name', provider_name);
  return { facts, image: type === 'photo' ? (url ?? thumbnail_url) : thumbnail_url };
}
