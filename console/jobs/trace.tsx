import { Copy } from "../parts/copy.tsx";
import { counted } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { visible } from "../parts/visible.ts";

const CAUSED_BY = "\ncaused by: ";
const FRAME = /^\s+at /;
/** Frames of packages, Holdfast's among them, and of Node.js: rarely where the fault is. */
const FOREIGN = /[\\/]node_modules[\\/]|[\\/]holdfast[\\/]dist[\\/]|\(?node:|<anonymous>\)?$/;
/** In a checkout of Holdfast: the folder that all of its code is in, as source and built. */
const HOMES = [
  /(?<home>[^\s(]*[\\/]src[\\/])core[\\/]run[\\/]run-attempt\.ts/,
  /(?<home>[^\s(]*[\\/]dist[\\/])chunks[\\/]holdfast-[0-9A-Z]{8}\.js/,
];

/** What an error was caused by, outermost first: the first lines of each, without frames. */
export function causesOf(trace: string): string[] {
  return trace
    .split(CAUSED_BY)
    .slice(1)
    .map((part) =>
      part
        .split("\n")
        .filter((line) => !FRAME.test(line))
        .join("\n"),
    );
}

/** Where an error came from: the application's frames, and the rest folded. */
export function Trace({ trace }: { readonly trace: string }) {
  const frames = trace.split("\n").filter((line) => FRAME.test(line));
  const homes = HOMES.flatMap((home) => home.exec(trace)?.groups?.home ?? []);
  const isForeign = (line: string) => FOREIGN.test(line) || homes.some((home) => line.includes(home));
  const own = frames.filter((line) => !isForeign(line));
  const foreign = frames.length - own.length;
  return (
    <>
      {own.length > 0 && (
        <ol className="frames">
          {own.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a trace does not change
            <li key={index}>
              <Text of={line.trim()} isCode />
            </li>
          ))}
        </ol>
      )}
      <details className="trace">
        <summary>
          {foreign === 0
            ? "Whole stack"
            : `Whole stack, with ${counted(foreign, "frame")} of Holdfast, packages and Node.js`}
        </summary>
        <Copy text={trace} what="The stack" />
        <pre>
          <bdi>{visible(trace)}</bdi>
        </pre>
      </details>
    </>
  );
}
