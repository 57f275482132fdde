/** Values that go wrong, and JSON with one of them somewhere. */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../src/protocol/json/index.ts';
import type { Chance } from './chance.ts';

const ODD: readonly JsonValue[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  1e300,
  1.5,
  '',
  ' ',
  '\0',
  '\u{1f600}',
  '\ud800',
  'é\u0301',
  'x'.repeat(300),
  'x'.repeat(70_000),
  '$',
  '!',
  '@',
  '@a',
  '@a:',
  '@:localhost:1',
  '!x:localhost:1',
  '$x:localhost:1',
  '../..',
  '%00',
  '__proto__',
  [],
  [[]],
  [null],
  [1, 'x'],
  {},
  { a: { b: { c: [] } } },
  ['$x'],
  ['$x', '$x'],
  'm.room.create',
  'm.room.member',
  'm.room.power_levels',
  'm.room.redaction',
  'm.room.third_party_invite',
  'join',
  'ban',
  'invite',
];
const KEYS = [
  'state_key',
  'redacts',
  'unsigned',
  'membership',
  'third_party_invite',
  'join_authorised_via_users_server',
  'users',
  '__proto__',
  'constructor',
  'event_id',
  'origin',
] as const;

/** The value with one change somewhere in it. */
export function mutated(value: JsonObject, chance: Chance): JsonObject {
  const keys = Object.keys(value);
  const kind = chance.below(10);
  if (keys.length === 0 || kind === 0) return { ...value, [chance.pick(KEYS)]: chance.pick(ODD) };
  const key = chance.pick(keys);
  if (kind === 1) return Object.fromEntries(Object.entries(value).filter(([other]) => other !== key));
  return { ...value, [key]: mutatedValue(value[key] ?? null, chance) };
}

function mutatedValue(value: JsonValue, chance: Chance): JsonValue {
  if (chance.is(0.3)) return chance.pick(ODD);
  if (isJsonObject(value)) return mutated(value, chance);
  if (isJsonArray(value)) {
    const items = [...value];
    const kind = chance.below(4);
    if (kind === 0 || items.length === 0) return [...items, chance.pick(ODD)];
    const at = chance.below(items.length);
    if (kind === 1) return [...items, items[at] ?? null];
    if (kind === 2) return items.filter((_, index) => index !== at);
    return items.map((item, index) => (index === at ? mutatedValue(item, chance) : item));
  }
  if (typeof value === 'number')
    return chance.pick([value + 1, value - 1, -value, value * 1000, value + 0.5, String(value)]);
  if (typeof value === 'string') return mutatedText(value, chance);
  return chance.pick(ODD);
}

/** The text with a character more, less, or another one. */
export function mutatedText(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1);
  const odd = chance.pick(['', '\0', 'A', '%', '/', '\u202e', '"', ':', '\ud800', '?', '#', '=', '&', '\n']);
  return chance.pick([
    text.slice(0, at) + odd + text.slice(at + 1),
    text.slice(0, at) + odd + text.slice(at),
    text.slice(0, at),
    text + text,
    text.toUpperCase(),
  ]);
}
