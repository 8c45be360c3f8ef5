import { counted } from "../parts/format.ts";
import type { Doubt } from "../service/answers.ts";

interface Props {
  /** Whose first run may still be under way, and that would be resolved as not done. */
  readonly pending: readonly Doubt[];
  readonly isConfirmed: boolean;
  readonly onChange: (isConfirmed: boolean) => void;
}

/** Asks again before effects run anew that may yet happen. Without a yes, they stay in doubt. */
export function ConfirmPending({ pending, isConfirmed, onChange }: Props) {
  if (pending.length === 0) return null;
  return (
    <label className="bad">
      <input type="checkbox" checked={isConfirmed} onChange={({ target }) => onChange(target.checked)} /> The
      first run of {counted(pending.length, "effect")} may still be under way, and act yet. Resolve{" "}
      {pending.length === 1 ? "it" : "these"} as not done all the same; otherwise{" "}
      {pending.length === 1 ? "it stays" : "they stay"} in doubt.
    </label>
  );
}
