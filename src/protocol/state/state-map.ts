/** A type and a state key in one string, `type\0stateKey`. */
export type StateKey = string;

/** A room's state, or part of it: by type and state key, most often the id of an event. */
export type StateMap<T> = ReadonlyMap<StateKey, T>;

/** Joins a type and a state key. */
export function stateKeyOf(type: string, stateKey: string): StateKey {
  return `${type}\0${stateKey}`;
}

/** Takes apart what `stateKeyOf` joined. */
export function splitStateKey(key: StateKey): readonly [type: string, stateKey: string] {
  const end = key.indexOf('\0');
  return [key.slice(0, end), key.slice(end + 1)];
}
