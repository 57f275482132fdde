/**
 * Texts with places for what a provider says of a user: `{claim}`, `{claim.inner}`, `{claim|filter}`. Three filters and
 * no logic; the template libraries that are looked after either escape for HTML or can run loops, which nobody needs here.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../protocol/json/index.ts';

/** Fills the places. Empty where none of them could be filled. */
export type ClaimTemplate = (claims: JsonObject) => string;

type Filter = (text: string) => string;

const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['lower', (text) => text.toLowerCase()],
  ['before_at', (text) => text.split('@', 1)[0] ?? ''],
  ['after_at', (text) => (text.includes('@') ? text.slice(text.lastIndexOf('@') + 1) : '')],
]);

const PLACE = /\{([^{}|]+)((?:\|[a-z_]+)*)\}/g;

/** The template of a text, or undefined where its braces or filters make no sense. */
export function parseClaimTemplate(text: string): ClaimTemplate | undefined {
  const places = [...text.matchAll(PLACE)].map((match) => ({
    index: match.index,
    end: match.index + match[0].length,
    claim: (match[1] ?? '').trim(),
    filters: (match[2] ?? '').split('|').slice(1),
  }));
  const rest = text.replaceAll(PLACE, '');
  if (/[{}]/.test(rest) || places.some(({ filters }) => filters.some((name) => !FILTERS.has(name)))) return undefined;
  return (claims) => {
    let filled = '';
    let isEmpty = places.length > 0;
    let last = 0;
    for (const { index, end, claim, filters } of places) {
      const value = filters.reduce((one, name) => FILTERS.get(name)?.(one) ?? one, textOf(claimAt(claims, claim)));
      if (value !== '') isEmpty = false;
      filled += text.slice(last, index) + value;
      last = end;
    }
    return isEmpty ? '' : (filled + text.slice(last)).trim();
  };
}

/** A claim by its name, or by names with dots between them for claims within claims. */
export function claimAt(claims: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: JsonValue | undefined = claims;
  for (const part of name.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
