/** The console's URL, with a trailing slash. It comes from the `<base>` that the server puts into index.html. */
const home = new URL(document.baseURI);

/** The path of the console's pages, without a trailing slash. */
export const basePath = home.pathname.replace(/\/$/, "");

/** The URL of a route, which is beside the console under any proxy prefix. */
export function routeUrl(path: string): URL {
  return new URL(`../${path}`, home);
}
