import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { Window } from "../parts/dialog.tsx";
import { counted } from "../parts/format.ts";
import { ActProblem, useLate } from "../parts/late.tsx";
import { useNotice } from "../parts/notice.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { ConfirmPending } from "./confirm-pending.tsx";
import { useHeld } from "./held.ts";
import type { DoubtRow } from "./queries.ts";
import { type As, pendingOf, type Resolution, resolveAll, textOf, useRefreshDoubts } from "./resolve-all.ts";
import { Choice, Evidence, HeldNote } from "./resolve-form.tsx";

interface Props {
  readonly doubts: readonly DoubtRow[];
  readonly onDone: () => void;
}

/** Resolves what is selected, with one piece of evidence: what the window was opened with, whatever others do meanwhile. */
export function ResolveSelected({ doubts: selected, onDone }: Props) {
  const [isOpen, setOpen] = useState(false);
  const [isHeld, setHeld] = useState(false);
  const doubts = useSeen(selected, isOpen);
  const close = () => setOpen(false);
  function done() {
    close();
    onDone();
  }
  if (doubts.length === 0) return null;
  return (
    <>
      <Button className="button small main" onPress={() => setOpen(true)}>
        Resolve {doubts.length}…
      </Button>
      <Window
        title={`Resolve ${counted(doubts.length, "effect")}`}
        isOpen={isOpen}
        onClose={close}
        isDismissable={!isHeld}
      >
        <ManyForm doubts={doubts} onDone={done} onClose={close} onHeld={setHeld} />
      </Window>
    </>
  );
}

interface FormProps extends Props {
  readonly onClose: () => void;
  /** Called when an answer is held, or no longer. */
  readonly onHeld: (isHeld: boolean) => void;
}

function ManyForm({ doubts, onDone, onClose, onHeld }: FormProps) {
  const [as, setAs] = useState<As | null>(null);
  const [evidence, setEvidence] = useState("");
  const [isConfirmed, confirm] = useState(false);
  const resolve = useResolveMany(onDone);
  const { left, hold, undo } = useHeld(resolve.mutate);
  const isHeld = left !== undefined;
  useEffect(() => onHeld(isHeld), [onHeld, isHeld]);
  const pending = pendingOf(doubts, as);
  const isReady = as !== null && evidence.trim() !== "";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!isReady || isHeld || resolve.isPending) return;
    hold({ doubts, resolution: { as, evidence: evidence.trim(), confirm: isConfirmed } });
  }

  return (
    <form onSubmit={submit} className="resolve-form">
      <div className="resolve-form" inert={isHeld}>
        <Choice as={as} onChange={setAs} />
        <Evidence text={evidence} onChange={setEvidence} />
        <ConfirmPending pending={pending} isConfirmed={isConfirmed} onChange={confirm} />
      </div>
      {resolve.error !== null && !isHeld && <ActProblem thrown={resolve.error} />}
      <HeldNote left={left} />
      <div className="window-actions">
        <Button className="button" onPress={isHeld ? undo : onClose}>
          {isHeld ? "Undo" : "Not now"}
        </Button>
        <Button
          type="submit"
          className="button main"
          isDisabled={!isReady}
          isPending={isHeld || resolve.isPending}
        >
          {as === null ? "Resolve" : `Resolve ${doubts.length} as ${textOf(as)}`}
        </Button>
      </div>
    </form>
  );
}

interface ManyToResolve {
  readonly doubts: readonly DoubtRow[];
  readonly resolution: Resolution;
}

function useResolveMany(onDone: () => void) {
  const refresh = useRefreshDoubts();
  const notice = useNotice();
  const late = useLate("Resolve the selected effects?");
  return useMutation({
    mutationFn: ({ doubts, resolution }: ManyToResolve) => resolveAll(doubts, resolution),
    onSuccess: async ({ resolved }, { resolution: { as } }) => {
      if (!late.isLeft()) onDone();
      notice(`${counted(resolved, "effect")} resolved as ${textOf(as)}. Their jobs are in line again.`);
      await refresh();
    },
    onError: late.tell,
  });
}
