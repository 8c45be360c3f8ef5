interface Target {
  readonly path?: string | null | undefined;
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
}

/** Reads the arguments of `Socket.connect`: options, a port and a host, a path, or what `net.connect` makes of them. */
export function targetOf([first, second]: readonly unknown[]): string {
  const given: unknown = Array.isArray(first) ? first[0] : first;
  if (typeof given === "string" && !/^\d+$/.test(given)) return given;
  if (typeof given !== "object" || given === null)
    return `${typeof second === "string" ? second : "localhost"}:${given}`;
  const { path, host, port = "" }: Target = given;
  return path ?? `${host || "localhost"}:${port}`;
}
