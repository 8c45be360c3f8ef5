/** Reads what Redis returns of a hash to a script or a scan: fields, each followed by its value. */
export function pairsOf(reply: readonly string[]): [field: string, value: string][] {
  const fields = reply.filter((_, at) => at % 2 === 0);
  return fields.map((field, at) => [field, reply[2 * at + 1] ?? ""]);
}
