/**
 * Glob patterns, whole or within words. Patterns come from users, so no regular expressions are made of them: what stands
 * between two stars is looked for from left to right, and never again further left.
 * Spec: appendices/#glob-style-matching, client-server-api/#conditions
 */

const WILDCARDS = /[*?]/;

/** How much a match can cost at worst, in characters looked at one by one or a few more looked at at once. */
export function matchCost(pattern: string, text: string): number {
  let longest = 0;
  if (pattern.includes('?')) {
    for (const piece of pattern.split('*')) if (piece.includes('?')) longest = Math.max(longest, piece.length);
  }
  return (text.length + pattern.length) * (longest + 1);
}

/** Whether the pattern matches the whole text, ignoring case. */
export function globMatches(pattern: string, text: string): boolean {
  const lowerPattern = pattern.toLowerCase();
  const lowerText = text.toLowerCase();
  if (!WILDCARDS.test(lowerPattern)) return lowerPattern === lowerText;
  const isStart = (position: number) => position === 0;
  const isEnd = (position: number) => position === lowerText.length;
  return piecesMatch(lowerPattern.split('*'), lowerText, isStart, isEnd);
}

/** Whether the pattern matches a part of the text that starts and ends at word boundaries, ignoring case. */
export function globMatchesWords(pattern: string, text: string): boolean {
  return WILDCARDS.test(pattern) ? wildcardMatchesWords(pattern, text) : containsWords(text, pattern);
}

/**
 * Whether the text contains `words` between word boundaries, ignoring case; no character is special. A boundary is an end of the
 * text or any character beside `A-Z a-z 0-9 _`.
 */
export function containsWords(text: string, words: string): boolean {
  const haystack = text.toLowerCase();
  const needle = words.toLowerCase();
  if (needle === '') return false;
  for (let at = haystack.indexOf(needle); at !== -1; ) {
    if (!isWordAt(haystack, at - 1) && !isWordAt(haystack, at + needle.length)) return true;
    // No match starts within a word: the rest of it is passed over.
    for (at++; isWordAt(haystack, at - 1) && at < haystack.length; ) at++;
    at = haystack.indexOf(needle, at);
  }
  return false;
}

function wildcardMatchesWords(pattern: string, text: string): boolean {
  const lowerText = text.toLowerCase();
  const isStart = (position: number) => !isWordAt(lowerText, position - 1);
  const isEnd = (position: number) => !isWordAt(lowerText, position);
  return piecesMatch(pattern.toLowerCase().split('*'), lowerText, isStart, isEnd);
}

/**
 * Whether the pieces, with anything between them, match a part of the text that begins at an allowed start and ends at an
 * allowed end. The leftmost place of each piece leaves most to the later ones; only the last one may have to be further on.
 */
function piecesMatch(
  pieces: readonly string[],
  text: string,
  isStart: (position: number) => boolean,
  isEnd: (position: number) => boolean,
): boolean {
  const [first = '', ...later] = pieces;
  const last = later.pop();
  for (let at = find(first, text, 0); at !== -1; at = find(first, text, after(text, at))) {
    let end = isStart(at) ? endOf(first, text, at) : -1;
    if (end === -1) continue;
    if (last === undefined) {
      if (isEnd(end)) return true;
      continue;
    }
    for (const piece of later) {
      const found = find(piece, text, end);
      if (found === -1) return false;
      end = endOf(piece, text, found);
    }
    for (let place = find(last, text, end); place !== -1; place = find(last, text, after(text, place))) {
      if (isEnd(endOf(last, text, place))) return true;
    }
    return false;
  }
  return false;
}

/** The leftmost place where a piece matches, from `from` on; -1 where there is none. */
function find(piece: string, text: string, from: number): number {
  if (from > text.length) return -1;
  if (!piece.includes('?')) return text.indexOf(piece, from);
  for (let at = from; at < text.length; at = after(text, at)) if (endOf(piece, text, at) !== -1) return at;
  return -1;
}

/** Where a piece ends that matches at `at`; -1 where it doesn't. */
function endOf(piece: string, text: string, at: number): number {
  let position = at;
  for (let i = 0; i < piece.length; i++) {
    if (position >= text.length) return -1;
    if (piece[i] === '?') position = after(text, position);
    else if (piece.charCodeAt(i) === text.charCodeAt(position)) position++;
    else return -1;
  }
  return position;
}

/** The position of the next character, which may have two units. */
function after(text: string, position: number): number {
  return position + ((text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1);
}

function isWordAt(text: string, index: number): boolean {
  return index >= 0 && index < text.length && isWord(text[index]);
}

const WORD_CHARACTERS: ReadonlySet<string> = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_');

function isWord(character: string | undefined): boolean {
  return character !== undefined && WORD_CHARACTERS.has(character);
}
