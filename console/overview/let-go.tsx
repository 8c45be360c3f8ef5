import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { useNotice } from "../parts/notice.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { visible } from "../parts/visible.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { type CurbOf, curbText, whichOf } from "./curb-text.ts";

interface Props {
  readonly queue: string;
  readonly curb: CurbOf & { readonly since: string };
}

/** Where it says that a type or a key is paused or limited. */
export function LetGo({ queue, curb }: Props) {
  const [isOpen, setOpen] = useState(false);
  const seen = useSeen(curb.since, isOpen);
  const notice = useNotice();
  const client = useQueryClient();
  const what = curbText(curb);
  if (!useMay("operate")) return null;

  async function letGo() {
    await service.resumeQueue(queue, { ...whichOf(curb), expect: { pausedSince: seen } });
    notice(`${what} of ${queue} is let go.`);
    await client.invalidateQueries({ queryKey: ["crowd", queue] });
  }

  return (
    <>
      <Button
        className="button small"
        aria-label={visible(`Let ${what} of ${queue} go`)}
        onPress={() => setOpen(true)}
      >
        Let go…
      </Button>
      <ConfirmWindow
        title={`Let ${what} of ${queue} go?`}
        action="Let go"
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        onConfirm={letGo}
      >
        <p>It is neither paused nor limited any more. Its held jobs line up again, behind those that wait.</p>
      </ConfirmWindow>
    </>
  );
}
