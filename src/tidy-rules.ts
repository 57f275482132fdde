/** The house rules that a program can check, as functions from a file's text to complaints. tidy.test.ts runs them. */

/** A source file, its path relative to the project's folder. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** Lowest first: a part imports only from parts below it. Parts on one line are of one height and may not meet. */
export const LAYERS: readonly (readonly string[])[] = [
  ['protocol', 'address-policy', 'clock', 'keyed-locks', 'lru'],
  ['config', 'slots'],
  ['telemetry'],
  ['storage'],
  ['streams'],
  ['jobs'],
  ['http'],
  ['email'],
  ['accounts'],
  ['devices'],
  ['federation'],
  ['media'],
  ['sso'],
  ['rooms'],
  ['search'],
  ['user-directory', 'moderation', 'presence', 'delayed-events', 'identity'],
  ['sync'],
  ['delivery'],
  ['modules'],
  ['client-api'],
  ['server-api'],
  ['admin-api'],
  ['web', 'console'],
];

/** Parts below the domains: shared ground, of which every file may be imported. */
const GROUND = new Set([
  'protocol',
  'clock',
  'address-policy',
  'keyed-locks',
  'slots',
  'lru',
  'config',
  'telemetry',
  'storage',
  'streams',
  'jobs',
  'http',
  'client-api',
]);

/** Files that are one long table, or that list one thing after the other. */
const LONG_FILES = new Set(['src/rooms/store/state-tree.ts']);

const LINES_MAX = 300;

/** Every complaint about a file, each with what to do instead. */
export function complaintsAbout(file: SourceText): readonly string[] {
  const isTest = /\.test\.ts$|^src\/testing\/|\/testing\.ts$/.test(file.path);
  const rules = isTest
    ? [typeEscapes]
    : [layers, sqlOnlyInStores, ambient, versionStrings, typeEscapes, length, docstrings];
  return rules.flatMap((rule) => rule(file).map((complaint) => `${file.path}: ${complaint}`));
}

/** `src/rooms/read/x.ts` -> `rooms`; files directly in src/ are their own part. */
function partOf(path: string): string {
  return (/^src\/([^/]+)/.exec(path)?.[1] ?? '').replace(/\.ts$/, '');
}

/** The files of this project that a file imports, relative to the project's folder. */
export function importsOf({ path, text }: SourceText): readonly string[] {
  const specifiers = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)[^'";]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g),
  ];
  return specifiers.map((match) => new URL(match[1] ?? match[2] ?? '', `file:///${path}`).pathname.slice(1));
}

function layers(file: SourceText): string[] {
  const part = partOf(file.path);
  const height = heightOf(part);
  if (height === undefined) return [];
  return importsOf(file).flatMap((target) => {
    const other = partOf(target);
    if (other === part || other === 'version') return [];
    const otherHeight = heightOf(other);
    if (otherHeight === undefined || otherHeight >= height) return [`imports ${target}, which is not below ${part}`];
    const isFace = target === `src/${other}/index.ts` || GROUND.has(other);
    return isFace ? [] : [`imports ${target}: of another domain, import its index.ts`];
  });
}

function heightOf(part: string): number | undefined {
  const height = LAYERS.findIndex((layer) => layer.includes(part));
  return height === -1 ? undefined : height;
}

/** SQL lives where stores are: in storage/, streams/, jobs/ and in files or folders of a domain named for it. */
function sqlOnlyInStores({ path, text }: SourceText): string[] {
  const isStore =
    /^src\/(storage|streams|jobs)\//.test(path) || /(^|[/-])(store|rows|tables|migrations)([/.-]|\.ts$)/.test(path);
  if (isStore || path === 'src/tidy-rules.ts') return [];
  const isSql = /from 'kysely'|\bsql`|\.(selectFrom|insertInto|updateTable|deleteFrom)\(/.test(text);
  return isSql ? ['has SQL in it, which belongs into store.ts, store/ or *-rows.ts of its domain'] : [];
}

/** Time, chance and environment are passed in. */
function ambient({ path, text }: SourceText): string[] {
  if (/^src\/(main|clock|homeserver|federation-parts|version)\.ts$|^src\/(cli|http|telemetry)\//.test(path)) return [];
  const found = /\bprocess\.env\b|\bDate\.now\(\)|\bnew Date\(\)|\bMath\.random\b/.exec(withoutComments(text));
  return found === null ? [] : [`uses ${found[0]}: take a clock, chance or an option in`];
}

/** What a room version does is asked of its rules, never of its name. */
function versionStrings({ path, text }: SourceText): string[] {
  if (path.startsWith('src/protocol/room-versions/')) return [];
  const found = /(?:rules\.id|\b(?:roomV|v)ersion)\s*[=!]==?\s*'\d+'/.exec(withoutComments(text));
  return found === null ? [] : [`compares a room version (${found[0]}): give RoomVersionRules a field for it`];
}

function typeEscapes({ path, text }: SourceText): string[] {
  if (path.startsWith('src/tidy')) return [];
  const found = /@ts-(ignore|nocheck)|\bas unknown as\b|(:|<|\bas) any\b/.exec(withoutStrings(text));
  return found === null ? [] : [`has ${found[0].trim()}`];
}

function length({ path, text }: SourceText): string[] {
  const lines = text.split('\n').length - 1;
  if (lines <= LINES_MAX || LONG_FILES.has(path)) return [];
  return [`has ${lines} lines, ${LINES_MAX} are the most`];
}

/** What a face exports by itself (not what it passes on) is documented. */
function docstrings({ path, text }: SourceText): string[] {
  if (!/^src\/[^/]+\/index\.ts$/.test(path)) return [];
  const undocumented = [...text.matchAll(/(?<!\*\/)\n(export (?:async )?(?:function|class) \w+)/g)];
  return undocumented.map((match) => `${match[1]} has no docstring`);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '');
}

function withoutStrings(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
}
