import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { useLocation } from "wouter";
import { instantOf } from "../../src/desk/jobs/instant.ts";
import { ConfirmButton } from "../parts/dialog.tsx";
import { count, counted } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Loaded } from "../parts/states.tsx";
import type { ActPreview } from "../service/answers.ts";
import { serviceNow } from "../service/clock.ts";
import { useMay } from "../service/session.ts";
import { type FilteredAct, previewQuery, startAct } from "./queries.ts";

const REASON_MAX = 500;

const words = {
  retry: {
    verb: "Retry",
    after:
      "Each gets all its attempts again. Effects that are done stay done. Cancelled jobs and jobs in doubt stay as they are.",
  },
  cancel: {
    verb: "Cancel",
    after: "Those that wait end at once; the signals of those that run are aborted.",
  },
  delete: { verb: "Delete", after: "Their keys and effects stay remembered. Jobs in doubt stay." },
} as const;

/** Retries, cancels or deletes all jobs that match, after showing how many. Workers do it; the page of acts shows how far they are. */
export function ActOnFilter({ act, filter }: FilteredAct) {
  const { verb, after } = words[act];
  // Ages count back from when the window was opened: what was shown is what is done.
  const [wanted, fix] = useState<FilteredAct>({ act, filter });
  const [reason, setReason] = useState("");
  const [isOpen, setOpen] = useState(false);
  const preview = useQuery({ ...previewQuery(wanted), enabled: isOpen });
  const client = useQueryClient();
  const notice = useNotice();
  const [, navigate] = useLocation();
  if (!useMay("operate")) return null;

  async function start() {
    await startAct({
      ...wanted,
      reason: reason.trim(),
      ...(preview.data && { before: preview.data.before }),
    });
    notice("It has begun. Workers do it, also without this page.");
    // The page of acts reads them; the preview, which is open still, would count all jobs again.
    void client.invalidateQueries({ queryKey: ["acts"], exact: true });
    navigate("/acts");
  }

  return (
    <ConfirmButton
      label={`${verb} all…`}
      title={`${verb} all that match?`}
      action={`${verb} them`}
      isDangerous={act !== "retry"}
      isSmall
      isReady={reason.trim() !== "" && preview.data !== undefined}
      onOpenChange={(open) => {
        fix({ act, filter: atInstants(filter, Date.parse(serviceNow())) });
        setOpen(open);
      }}
      onConfirm={start}
    >
      <Loaded query={preview}>{(found) => <Matching preview={found} />}</Loaded>
      <p>{after}</p>
      <TextField
        validationBehavior="aria"
        className="field"
        value={reason}
        onChange={setReason}
        isRequired
        maxLength={REASON_MAX}
      >
        <Label>Reason</Label>
        <Input />
      </TextField>
    </ConfirmButton>
  );
}

/** The service takes no ages in what changes something. */
function atInstants(filter: FilteredAct["filter"], now: number): FilteredAct["filter"] {
  const times = ["from", "to", "endedFrom", "endedTo"].flatMap((name) => {
    const at = instantOf(filter[name] ?? "", now);
    return at === undefined ? [] : [[name, new Date(at).toISOString()]];
  });
  return { ...filter, ...Object.fromEntries(times) };
}

function Matching({ preview: { count: total, matching, nextCursor } }: { readonly preview: ActPreview }) {
  return (
    <>
      <p role="status">
        {nextCursor === null ? "" : "At least "}
        <b>{counted(total, "job")}</b>
        {nextCursor !== null && "; all that match are meant"}
      </p>
      <ul className="plan">
        {matching.map(({ type, code, count: some }) => (
          <li key={`${type} ${code}`}>
            <b>{count(some)}</b> <Text of={code === null ? type : `${type}: ${code}`} />
          </li>
        ))}
      </ul>
    </>
  );
}
