/** Where the build is, if not in this checkout: a copy without one protection, for a control. */
const directory = process.env.TRUTH_BUILD ?? new URL("../../../dist/", import.meta.url).href;

/** A module of the build: the table measures what is shipped. */
export function built<Module>(name: string): Promise<Module> {
  return import(new URL(`${name}.js`, directory).href);
}
