import { prettyJson } from "./format.ts";

/** JSON as text, in a box that scrolls. */
export function Json({ value, label }: { readonly value: unknown; readonly label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="json" tabIndex={0} aria-label={`${label}, JSON`}>
      <bdi>{prettyJson(value)}</bdi>
    </section>
  );
}
