/** Turns what zod and YAML complain of into problems that a person can find and mend. */
import type { Document, LineCounter, ParsedNode } from 'yaml';
import type { z } from 'zod';
import { mostSimilar } from './similar.ts';

/** One thing that is wrong with a configuration file. Lines and columns count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The setting, e.g. `listeners[0].port`; empty where the file as a whole is meant. */
  readonly key: string;
  readonly message: string;
}

/** The configuration can't be used. The message lists every problem, one a line, as `file:line:column: key: message`. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Path = readonly PropertyKey[];

/** The keys that a section may have, by the section's path; undefined where it takes any. */
export type KeysAt = (path: Path) => readonly string[] | undefined;

/** A parsed file, to find the place of a key in it. */
export interface SourceFile {
  readonly file: string;
  readonly document: Document<ParsedNode>;
  readonly lines: LineCounter;
}

/** The problems behind zod's issues, each with its place in the file. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], source: SourceFile, keysAt: KeysAt): ConfigProblem[] {
  const problems = issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      return [{ ...placeOf(source, issue.path), key: formatPath(issue.path), message: messageOf(issue) }];
    }
    const known = keysAt(issue.path);
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { ...placeOf(source, path, 'key'), key: formatPath(path), message: unknownKey(key, known) };
    });
  });
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** `['listeners', 0, 'port']` as `listeners[0].port`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

function formatProblem({ file, line, column, key, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${key === '' ? '' : `${key}: `}${message}`;
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') {
    const inQuotes = typeof issue.input === 'number' && issue.values.includes(String(issue.input));
    if (inQuotes) return `has to stand in quotes: '${issue.input}'`;
    return `expected one of: ${issue.values.map(String).join(', ')}`;
  }
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    return issue.input === undefined ? 'is missing' : `expected ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return rangeMessage(issue);
  return issue.message;
}

function rangeMessage(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const counted = { string: ' characters', array: ' entries' }[issue.origin as string] ?? '';
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const strictly =
    issue.inclusive === false ? bound.replace('at least', 'more than').replace('at most', 'less than') : bound;
  return `expected ${strictly}${counted}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a section with settings of its own',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function unknownKey(key: string, known: readonly string[] | undefined): string {
  if (known === undefined) return 'is not a setting';
  const meant = mostSimilar(key, known);
  return `is not a setting${meant.length === 0 ? '' : `; did you mean ${meant.join(' or ')}?`} (accepted: ${known.join(', ')})`;
}

/** The place of a value (or of its key); of the nearest thing around it that is there, if it isn't. */
function placeOf({ file, document, lines }: SourceFile, path: Path, what: 'key' | 'value' = 'value') {
  const offset = what === 'key' ? keyOffset(document, path) : valueOffset(document, path);
  const { line, col } = lines.linePos(offset ?? 0);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function valueOffset(document: Document<ParsedNode>, path: Path): number | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (hasRange(node))
      return length === path.length || length === 0 ? node.range[0] : keyOffset(document, path.slice(0, length));
  }
  return undefined;
}

function keyOffset(document: Document<ParsedNode>, path: Path): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => hasRange(key) && 'value' in key && String(key.value) === String(last));
    if (pair !== undefined && hasRange(pair.key)) return pair.key.range[0];
  }
  const node = document.getIn(path, true);
  return hasRange(node) ? node.range[0] : undefined;
}

function hasRange(node: unknown): node is { readonly range: readonly [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

function isMap(node: unknown): node is { readonly items: readonly { readonly key: unknown }[] } {
  return (
    typeof node === 'object' &&
    node !== null &&
    'items' in node &&
    Array.isArray(node.items) &&
    node.items.every((item) => typeof item === 'object' && item !== null && 'key' in item)
  );
}
