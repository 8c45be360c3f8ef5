/** Modules' texts in place of those in their files, by their address. */
let modules = {};

export function initialize(data) {
  modules = data;
}

export async function load(url, context, nextLoad) {
  const source = modules[url.split("?")[0]];
  return source === undefined
    ? await nextLoad(url, context)
    : { format: "module", source, shortCircuit: true };
}
