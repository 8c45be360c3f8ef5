/** Where the console is served, ending with a slash: the server gives index.html a `<base>` that says so. */
const home = new URL(document.baseURI);

/** The path under which the console's own pages lie, without a slash at its end. */
export const basePath = home.pathname.replace(/\/$/, "");

/** The URL of one of the service's routes; it lies beside the console, whatever proxy stands in between. */
export function routeUrl(path: string): URL {
  return new URL(`../${path}`, home);
}
