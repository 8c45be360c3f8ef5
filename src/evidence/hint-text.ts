// Also part of the console. So it imports nothing.

/** A hint as a sentence without its full stop. @example 'refused, nothing seen sent; "classify: http" proves that nothing happened' */
export function hintText({ classify, why }: { readonly classify: string; readonly why: string }): string {
  return `${why}; "classify: ${classify}" proves that nothing happened`;
}
