/** A module of the build: the table measures what is shipped. */
export function built<Module>(name: string): Promise<Module> {
  return import(new URL(`../../dist/${name}.js`, import.meta.url).href);
}
