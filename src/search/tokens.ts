/**
 * Text as tokens: words in lower case, and for scripts that put no spaces between words every two neighbouring characters, so
 * that any piece of such a text is found without a dictionary.
 */

/** Scripts whose words aren't told apart by spaces; Hangul too, since particles cling to its words. */
const UNSPACED =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\u30FC\\u3005]';
const RUNS = new RegExp(`${UNSPACED}+|[[\\p{L}\\p{N}\\p{M}]--${UNSPACED}]+`, 'gv');
const BEGINS_UNSPACED = new RegExp(`^${UNSPACED}`, 'v');

/** Of longer texts the rest isn't indexed. */
const TOKENS_MAX = 20_000;

/** A stretch of text as it is looked for: its tokens stand next to each other. */
export interface SearchPhrase {
  readonly tokens: readonly string[];
  /** A single character of an unspaced script: tokens that begin with it. */
  readonly isPrefix: boolean;
  /** The stretch itself, to be highlighted. */
  readonly text: string;
}

/** The tokens by which a text is found, in its order. */
export function tokensOf(text: string): readonly string[] {
  const tokens: string[] = [];
  for (const run of runsOf(text)) {
    if (tokens.length >= TOKENS_MAX) break;
    if (!BEGINS_UNSPACED.test(run)) tokens.push(run);
    else tokens.push(...pairsOf(run, true));
  }
  return tokens.length > TOKENS_MAX ? tokens.slice(0, TOKENS_MAX) : tokens;
}

/** What somebody looks for: everything in it must be found. Empty where nothing in it can be. */
export function phrasesOf(term: string): readonly SearchPhrase[] {
  return [...runsOf(term)].map((run) => {
    if (!BEGINS_UNSPACED.test(run)) return { tokens: [run], isPrefix: false, text: run };
    const isPrefix = [...run].length === 1;
    return { tokens: isPrefix ? [run] : pairsOf(run, false), isPrefix, text: run };
  });
}

/** Compatible forms (full-width letters, half-width kana) are the same; so are upper and lower case. */
function* runsOf(text: string): Iterable<string> {
  for (const [run] of text.normalize('NFKC').toLowerCase().matchAll(RUNS)) yield run;
}

/** Every two neighbours; with `last` also the last character alone, so that each character begins a token. */
function pairsOf(run: string, last: boolean): readonly string[] {
  const characters = [...run];
  const pairs: string[] = [];
  for (let i = 0; i + 1 < characters.length; i++) pairs.push(`${characters[i]}${characters[i + 1]}`);
  const end = characters.at(-1);
  if (last && end !== undefined) pairs.push(end);
  return pairs;
}
