import { Checkbox } from "react-aria-components";
import { count, counted } from "../parts/format.ts";
import { Relative } from "../parts/time.tsx";
import type { Doubt } from "../service/answers.ts";

interface Props {
  readonly doubts: readonly Doubt[];
  readonly isConfirmed: boolean;
  readonly onChange: (isConfirmed: boolean) => void;
}

/** Asks again where a first run may still be under way: it can yet act, whatever somebody has found out. */
export function PendingRuns({ doubts, isConfirmed, onChange }: Props) {
  const pending = doubts.filter(({ mayStillRun }) => mayStillRun);
  if (pending.length === 0) return null;
  return (
    <Checkbox className="checkbox worded" isSelected={isConfirmed} onChange={onChange}>
      <span className="box" />
      <span>
        Also{" "}
        {pending.length === doubts.length
          ? counted(pending.length, "effect")
          : `${count(pending.length)} of them`}{" "}
        whose first run may still be under way, and act later. Otherwise{" "}
        {pending.length === 1 ? "it stays" : "they stay"} in doubt.
      </span>
    </Checkbox>
  );
}

/** Whether the first run of a doubt may be under way. */
export function FirstRun({ doubt: { mayStillRun, workerSeenAt } }: { readonly doubt: Doubt }) {
  return (
    <>
      {mayStillRun ? <b>may still be under way</b> : "has ended, or its worker is gone"}
      {workerSeenAt !== null && (
        <>
          ; its worker was seen <Relative at={workerSeenAt} />
        </>
      )}
    </>
  );
}
