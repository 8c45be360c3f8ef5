/** Changes of conditions that no promise depends on, and why. */
const reasons: Readonly<Record<string, Readonly<Record<string, string>>>> = {};

export function reasonFor(file: string, change: string): string | undefined {
  return reasons[file]?.[change];
}
