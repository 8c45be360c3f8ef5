import { useState } from "react";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import { RowMenu } from "../parts/row-menu.tsx";
import { Age } from "../parts/time.tsx";
import { useSeen } from "../parts/use-seen.ts";
import type { WorkerOverview } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";

type Quiet = NonNullable<WorkerOverview["quiet"]>;
type QuietAct = "quiet" | "wake";

interface Props {
  readonly name: string;
  readonly quiet: Quiet | null;
}

/** Tells one worker process to claim no more jobs, or to go on. */
export function WorkerHand(props: Props) {
  const [asked, ask] = useState<QuietAct | null>(null);
  if (!useMay("operate")) return null;
  return (
    <>
      <RowMenu<QuietAct>
        of={props.name}
        acts={props.quiet === null ? { quiet: "Quiet…" } : { wake: "Wake…" }}
        onAct={ask}
      />
      <QuietWindow {...props} asked={asked} onClose={() => ask(null)} />
    </>
  );
}

interface WindowProps extends Props {
  /** What the window asks, whatever others do meanwhile; null while it is closed. */
  readonly asked: QuietAct | null;
  readonly onClose: () => void;
}

export function QuietWindow({ name, quiet, asked, onClose }: WindowProps) {
  const notice = useNotice();
  const [reason, setReason] = useState("");
  const now = quiet?.since ?? null;
  const seen = useSeen(now, asked !== null);
  const isOver = asked !== null && seen !== now;
  const expect = { quietSince: seen };

  async function act() {
    if (asked === "quiet") {
      await service.quietWorker(name, { reason: reason.trim(), expect });
      notice(`${name} is told to claim no more jobs.`);
    } else {
      await service.wakeWorker(name, { expect });
      notice(`${name} may claim jobs again.`);
    }
    setReason("");
  }

  return (
    <ConfirmWindow
      title={`${asked === "wake" ? "Wake" : "Quiet"} ${name}?`}
      action={asked === "wake" ? "Wake" : "Quiet"}
      isOpen={asked !== null}
      onClose={onClose}
      over={
        isOver && (
          <>
            Somebody has told <Text of={name} /> something else meanwhile.
          </>
        )
      }
      onConfirm={act}
    >
      {asked === "wake" ? (
        <p>This process claims jobs again within five seconds.</p>
      ) : (
        <>
          <p>
            This process alone claims no more jobs, from within five seconds on. Its running jobs go on, and
            other workers claim the rest.
          </p>
          <Reason text={reason} onChange={setReason} />
        </>
      )}
    </ConfirmWindow>
  );
}

/** Who told a worker to be quiet, and why. */
export function QuietNote({ quiet }: { readonly quiet: Quiet }) {
  const { reason, by, since, hasHeard } = quiet;
  return (
    <span className="pause-note">
      <span className="tag">{hasHeard ? "quiet" : "told to be quiet"}</span> <Text of={reason} /> (
      <Text of={by} />, <Age at={since} />)
    </span>
  );
}
