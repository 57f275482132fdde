/** The candidates that were probably meant by a mistyped word: the nearest ones, none if they are too far. */
export function mostSimilar(word: string, candidates: readonly string[]): readonly string[] {
  const distances = candidates.map((candidate) => editDistance(word.toLowerCase(), candidate.toLowerCase()));
  const nearest = Math.min(...distances);
  const acceptedMax = word.length <= 3 ? 1 : Math.max(2, Math.floor(word.length / 3));
  if (nearest > acceptedMax) return [];
  return candidates.filter((_, index) => distances[index] === nearest);
}

/** Levenshtein's distance: the fewest insertions, deletions and replacements that make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
