/** How many letters may be wrong: one of three, at most three. */
const WRONG_MAX = 3;

/** The known name that is written most like this one; undefined if none is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const most = Math.min(WRONG_MAX, Math.ceil(name.length / 3));
  const ranked = [...known]
    .filter((candidate) => Math.abs(candidate.length - name.length) <= most)
    .map((candidate) => ({ candidate, wrong: distance(name.toLowerCase(), candidate.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.wrong - b.wrong);
  return best !== undefined && best.wrong <= most ? best.candidate : undefined;
}

/**
 * Says of an unknown name which one was probably meant.
 *
 * @param otherwise if none is near @default all that are known
 */
export function suggestion(
  name: string,
  known: readonly string[],
  otherwise = `declared: ${known.join(", ") || "none"}`,
): string {
  const near = nearest(name, known);
  return near === undefined ? otherwise : `did you mean "${near}"?`;
}

/** How many letters to insert, remove, replace or swap with the next. */
function distance(a: string, b: string): number {
  let [former, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (former[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [former, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
