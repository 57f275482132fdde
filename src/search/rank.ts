import type { StoredEvent } from '../rooms/index.ts';
import { searchableOf } from './searchable.ts';
import { type SearchPhrase, tokensOf } from './tokens.ts';

/** Okapi BM25's constants: how soon further occurrences stop to count, and how much a text's length does. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;
/** Of a usual message. */
const LENGTH_USUAL = 20;

/**
 * How closely an event matches, as BM25 has it; every match has all phrases, so their rarity makes no difference. 1 where
 * there are no phrases to compare.
 */
export function rankOf(
  { stored, edit }: { readonly stored: StoredEvent; readonly edit: StoredEvent | undefined },
  phrases: readonly SearchPhrase[],
  length: number,
): number {
  if (phrases.length === 0) return 1;
  const tokens = tokensOf(searchableOf(stored, edit)?.text ?? '');
  let rank = 0;
  for (const phrase of phrases) {
    const found = occurrences(tokens, phrase);
    const weight = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * length) / LENGTH_USUAL);
    rank += (found * (SATURATION + 1)) / (found + weight);
  }
  return rank;
}

function occurrences(tokens: readonly string[], { tokens: wanted, isPrefix }: SearchPhrase): number {
  let count = 0;
  for (let start = 0; start + wanted.length <= tokens.length; start++) {
    const matches = wanted.every((token, index) => {
      const here = tokens[start + index];
      return isPrefix ? here?.startsWith(token) : here === token;
    });
    if (matches) count++;
  }
  return count;
}
