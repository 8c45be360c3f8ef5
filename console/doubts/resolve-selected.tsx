import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "react-aria-components";
import { Window } from "../parts/dialog.tsx";
import { counted } from "../parts/format.ts";
import { useNotice } from "../parts/notice.tsx";
import { ProblemNote } from "../parts/states.tsx";
import { ConfirmPending } from "./confirm-pending.tsx";
import type { DoubtRow } from "./queries.ts";
import { type As, pendingOf, type Resolution, resolveAll, textOf, useRefreshDoubts } from "./resolve-all.ts";
import { Choice, Evidence } from "./resolve-form.tsx";

interface Props {
  readonly doubts: readonly DoubtRow[];
  readonly onDone: () => void;
}

/** Resolves what is selected, with one piece of evidence. */
export function ResolveSelected({ doubts, onDone }: Props) {
  const [isOpen, setOpen] = useState(false);
  if (doubts.length === 0) return null;
  return (
    <>
      <Button className="button small main" onPress={() => setOpen(true)}>
        Resolve {doubts.length}…
      </Button>
      <Window
        title={`Resolve ${counted(doubts.length, "effect")}`}
        isOpen={isOpen}
        onClose={() => setOpen(false)}
      >
        <ManyForm doubts={doubts} onDone={onDone} onClose={() => setOpen(false)} />
      </Window>
    </>
  );
}

function ManyForm({ doubts, onDone, onClose }: Props & { readonly onClose: () => void }) {
  const [as, setAs] = useState<As | null>(null);
  const [evidence, setEvidence] = useState("");
  const [isConfirmed, confirm] = useState(false);
  const resolve = useResolveMany(doubts, onDone);
  const pending = pendingOf(doubts, as);
  const isReady = as !== null && evidence.trim() !== "";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (isReady) resolve.mutate({ as, evidence: evidence.trim(), confirm: isConfirmed });
  }

  return (
    <form onSubmit={submit} className="resolve-form">
      <Choice as={as} onChange={setAs} />
      <Evidence text={evidence} onChange={setEvidence} />
      <ConfirmPending pending={pending} isConfirmed={isConfirmed} onChange={confirm} />
      {resolve.error !== null && <ProblemNote thrown={resolve.error} />}
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={resolve.isPending}>
          {as === null ? "Resolve" : `Resolve ${doubts.length} as ${textOf(as)}`}
        </Button>
      </div>
    </form>
  );
}

function useResolveMany(doubts: readonly DoubtRow[], onDone: () => void) {
  const refresh = useRefreshDoubts();
  const notice = useNotice();
  return useMutation({
    mutationFn: (resolution: Resolution) => resolveAll(doubts, resolution),
    onSuccess: async (resolved, { as }) => {
      onDone();
      notice(`${counted(resolved, "effect")} resolved as ${textOf(as)}. Their jobs are in line again.`);
      await refresh();
    },
  });
}
