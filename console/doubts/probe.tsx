import { useMutation } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { counted } from "../parts/format.ts";
import { ActProblem, useLate } from "../parts/late.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Relative } from "../parts/time.tsx";
import type { Doubt } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useRefreshDoubts } from "./resolve-all.ts";

interface Props {
  readonly doubts: readonly Doubt[];
  readonly onDone: () => void;
}

/** Asks the probes of those effects that have one: a worker runs their jobs again for that. */
export function AskProbes({ doubts, onDone }: Props) {
  const ask = useAskProbes(onDone);
  const probed = doubts.filter(({ mayAskProbe }) => mayAskProbe);
  if (probed.length === 0) return null;
  return (
    <>
      <Button className="button small" isPending={ask.isPending} onPress={() => ask.mutate(probed)}>
        {doubts.length === 1 ? "Ask the probe" : `Ask ${counted(probed.length, "probe")}`}
      </Button>
      {ask.error !== null && <ActProblem thrown={ask.error} />}
    </>
  );
}

function useAskProbes(onDone: () => void) {
  const refresh = useRefreshDoubts();
  const notice = useNotice();
  const late = useLate("Ask the probe?");
  return useMutation({
    async mutationFn(doubts: readonly Doubt[]) {
      const ids = doubts.map(({ jobId, effect, since }) => ({ jobId, effect, since }));
      return await service.askProbes({ ids });
    },
    async onSuccess({ asked, skipped }) {
      if (!late.isLeft()) onDone();
      const left = skipped.length === 0 ? "" : ` ${counted(skipped.length, "effect")} stayed as it was.`;
      notice(`${counted(asked, "probe")} asked: a worker runs the job again for that.${left}`);
      await refresh();
    },
    onError: late.tell,
  });
}

/** What has come of asking the probe. */
export function Asked({ doubt: { asked } }: { readonly doubt: Doubt }) {
  if (asked === null) return null;
  return (
    <span className="quiet">
      probe asked <Relative at={asked.at} /> by <Text of={asked.by} />
      {asked.found !== null && (
        <>
          ; since then: <Text of={asked.found} />
        </>
      )}
    </span>
  );
}
