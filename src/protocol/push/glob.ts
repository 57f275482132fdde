/**
 * Glob patterns, whole or within words. Patterns come from users, so no regular expressions are made of them: matching
 * takes at most (length of the text) x (length of the pattern) steps.
 * Spec: appendices/#glob-style-matching, client-server-api/#conditions
 */

const WILDCARDS = /[*?]/;

/** Whether the pattern matches the whole text, ignoring case. */
export function globMatches(pattern: string, text: string): boolean {
  const lowerPattern = pattern.toLowerCase();
  const lowerText = text.toLowerCase();
  if (!WILDCARDS.test(lowerPattern)) return lowerPattern === lowerText;
  const characters = [...lowerText];
  const isStart = (position: number) => position === 0;
  const isEnd = (position: number) => position === characters.length;
  return simulate([...lowerPattern], characters, isStart, isEnd);
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
  for (let at = haystack.indexOf(needle); at !== -1; at = haystack.indexOf(needle, at + 1)) {
    if (!isWordAt(haystack, at - 1) && !isWordAt(haystack, at + needle.length)) return true;
  }
  return false;
}

function wildcardMatchesWords(pattern: string, text: string): boolean {
  const characters = [...text.toLowerCase()];
  const isStart = (position: number) => !isWord(characters[position - 1]);
  const isEnd = (position: number) => !isWord(characters[position]);
  return simulate([...pattern.toLowerCase()], characters, isStart, isEnd);
}

/**
 * Runs all ways of matching at once: `reached[i]` says whether the first `i` characters of the pattern can match a part
 * of the text that begins at some allowed start and ends here.
 */
function simulate(
  pattern: readonly string[],
  text: readonly string[],
  isStart: (position: number) => boolean,
  isEnd: (position: number) => boolean,
): boolean {
  const length = pattern.length;
  let reached = new Uint8Array(length + 1);
  let next = new Uint8Array(length + 1);
  for (let position = 0; ; position++) {
    if (isStart(position)) reached[0] = 1;
    for (let i = 0; i < length; i++) {
      if (reached[i] === 1 && pattern[i] === '*') reached[i + 1] = 1; // a star may match nothing
    }
    if (reached[length] === 1 && isEnd(position)) return true;
    if (position === text.length) return false;
    const character = text[position];
    next.fill(0);
    for (let i = 0; i < length; i++) {
      if (reached[i] !== 1) continue;
      if (pattern[i] === '*') next[i] = 1;
      else if (pattern[i] === '?' || pattern[i] === character) next[i + 1] = 1;
    }
    [reached, next] = [next, reached];
  }
}

function isWordAt(text: string, index: number): boolean {
  return index >= 0 && index < text.length && isWord(text[index]);
}

const WORD_CHARACTERS: ReadonlySet<string> = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_');

function isWord(character: string | undefined): boolean {
  return character !== undefined && WORD_CHARACTERS.has(character);
}
