/**
 * The bound of an LRU cache, as options for `lru-cache`: at most so many entries. Its own `max` reserves memory for all of
 * them when the cache is made: with our caches that was 280 ms of the start and some 20 MB that an idle server never used.
 */
export function upTo(entries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: one };
}

const one = (): number => 1;
