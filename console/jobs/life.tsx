import type { ReactNode } from "react";
import { Copy } from "../parts/copy.tsx";
import { Text } from "../parts/link.tsx";
import { Glyph, toneOf } from "../parts/mark.tsx";
import { Relative } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { Moment } from "./timeline.ts";
import { Trace } from "./trace.tsx";

interface Props {
  readonly moments: readonly Moment[];
  /** Renders the way to resolve an effect in doubt. */
  readonly resolve: (effect: string) => ReactNode;
}

/** The life of a job or a guarded effect, from its beginning on. */
export function Timeline({ moments, resolve }: Props) {
  return (
    <ol className="timeline">
      {moments.map(({ id, at, mark, title, said, trace, facts = [], doubt, answer }) => (
        <li key={id} className={toneOf(mark)}>
          <Glyph of={mark} />
          <div className="moment">
            <p className="moment-title">
              <Text of={title} />
              {at !== null && (
                <span className="quiet">
                  <Relative at={at} />
                </span>
              )}
            </p>
            {said !== undefined && (
              <p>
                <Text of={said} />
              </p>
            )}
            {trace !== undefined && (
              <details className="trace">
                <summary>Stack</summary>
                <Trace trace={trace} />
              </details>
            )}
            {facts.length > 0 && (
              <p className="quiet">
                <Text of={facts.join(" · ")} />
              </p>
            )}
            {doubt !== undefined && resolve(doubt)}
            {answer !== undefined && (
              <details className="answer">
                <summary>What is known of it</summary>
                <pre>
                  <bdi>{visible(answer)}</bdi>
                </pre>
                <Copy text={answer} what="What is known of the effect" />
              </details>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}
