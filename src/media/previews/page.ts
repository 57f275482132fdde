/** What a page says about itself: Open Graph, Twitter cards, and its title and first words where it says nothing. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Parser } from 'htmlparser2';

/** Open Graph properties, without those that are addresses of pictures. */
export type PageFacts = Readonly<Record<string, string>>;

export interface Page {
  readonly facts: PageFacts;
  /** The picture's address, absolute. */
  readonly image: URL | undefined;
  /** Where the page's description for embedding is, absolute. */
  readonly oembed: URL | undefined;
}

const VALUE_CHARACTERS_MAX = 1_000;
const DESCRIPTION_CHARACTERS_MAX = 500;
const FACTS_MAX = 40;
const META_MAX = 200;
/** Read at once; then others have their turn. */
const SLICE_CHARACTERS = 16 * 1024;
/** The parser's work for each tag grows with this: of a page that is deeper no more is read. */
const DEPTH_MAX = 256;
/** Text in these is not for reading. */
const SILENT: ReadonlySet<string> = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'nav',
  'header',
  'footer',
  'aside',
  'button',
  'select',
  'svg',
  'iframe',
]);

/** Reads a page, without keeping others waiting. Never fails: whatever it is, something or nothing is found. */
export async function readPage(html: string, base: URL): Promise<Page> {
  const found = await collect(html);
  const { meta } = found;
  const pick = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = meta.get(name);
      if (value !== undefined && value !== '') return value;
    }
    return undefined;
  };
  const facts: Record<string, string> = {};
  for (const [name, value] of meta) {
    if (/^og:[\w:]+$/.test(name) && !name.startsWith('og:image') && Object.keys(facts).length < FACTS_MAX) {
      facts[name] = value;
    }
  }
  set(facts, 'og:title', pick('og:title', 'twitter:title', 'dc.title') ?? found.title ?? found.heading);
  const description = pick('og:description', 'twitter:description', 'description', 'dc.description') ?? found.words;
  set(facts, 'og:description', description?.slice(0, DESCRIPTION_CHARACTERS_MAX));
  set(facts, 'og:site_name', pick('og:site_name', 'application-name'));
  const image = pick('og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image', 'twitter:image:src', 'image');
  return { facts, image: resolveUrl(image ?? found.image, base), oembed: resolveUrl(found.oembed, base) };
}

function set(facts: Record<string, string>, name: string, value: string | undefined): void {
  if (value === undefined || value === '') delete facts[name];
  else facts[name] = value.slice(0, VALUE_CHARACTERS_MAX);
}

interface Found {
  readonly meta: Map<string, string>;
  title: string | undefined;
  heading: string | undefined;
  words: string | undefined;
  image: string | undefined;
  oembed: string | undefined;
}

async function collect(html: string): Promise<Found> {
  const found: Found = {
    meta: new Map(),
    title: undefined,
    heading: undefined,
    words: undefined,
    image: undefined,
    oembed: undefined,
  };
  let depth = 0;
  let silentDepth = 0;
  let reading: 'title' | 'heading' | 'words' | undefined;
  let text = '';
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        depth++;
        if (SILENT.has(name)) silentDepth++;
        if (name === 'meta') noteMeta(found, attributes);
        else if (name === 'link') noteLink(found, attributes);
        else if (name === 'img' && silentDepth === 0 && isLarge(attributes)) found.image ??= attributes.src;
        const next = silentDepth > 0 ? undefined : READ_IN.get(name);
        if (next !== undefined && found[next] === undefined) {
          reading = next;
          text = '';
        }
      },
      ontext(part) {
        if (reading !== undefined && silentDepth === 0 && text.length < VALUE_CHARACTERS_MAX) text += part;
      },
      onclosetag(name) {
        depth--;
        if (SILENT.has(name)) silentDepth = Math.max(0, silentDepth - 1);
        if (reading === undefined || READ_IN.get(name) !== reading) return;
        const words = tidy(text);
        if (words !== '') found[reading] = words;
        reading = undefined;
      },
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  for (let at = 0; at < html.length && depth <= DEPTH_MAX; at += SLICE_CHARACTERS) {
    if (at > 0) await nextTurn();
    parser.write(html.slice(at, at + SLICE_CHARACTERS));
  }
  parser.end();
  return found;
}

const READ_IN: ReadonlyMap<string, 'title' | 'heading' | 'words'> = new Map([
  ['title', 'title'],
  ['h1', 'heading'],
  ['p', 'words'],
]);

function noteMeta({ meta }: Found, attributes: Readonly<Record<string, string>>): void {
  const name = (attributes.property ?? attributes.name ?? attributes.itemprop)?.trim().toLowerCase();
  const { content } = attributes;
  if (name === undefined || content === undefined || meta.has(name) || meta.size >= META_MAX) return;
  meta.set(name, tidy(content).slice(0, VALUE_CHARACTERS_MAX));
}

function noteLink(found: Found, { rel = '', type = '', href }: Readonly<Record<string, string>>): void {
  const relations = rel.toLowerCase().split(/\s+/);
  if (relations.includes('alternate') && type.toLowerCase().startsWith('application/json+oembed')) {
    found.oembed ??= href;
  }
  if (relations.includes('image_src')) found.image ??= href;
}

/** Buttons and counters are not what a page is about. */
function isLarge({ width, height, src = '' }: Readonly<Record<string, string>>): boolean {
  if (src === '' || src.startsWith('data:')) return false;
  return Number(width ?? 100) >= 50 && Number(height ?? 100) >= 50;
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function resolveUrl(text: string | undefined, base: URL): URL | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text, base);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') ? url : undefined;
}
