import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Line } from "../parts/form-fields.tsx";
import { counted } from "../parts/format.ts";
import { Json } from "../parts/json.tsx";
import { JsonField, parseJson } from "../parts/json-field.tsx";
import { Text, To } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative, TimeOfDay } from "../parts/time.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { query, service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import { useFreshOn } from "../service/use-fresh-on.ts";
import { type ParkedRow, parkedQuery } from "./queries.ts";

/** The row may have become a job before it was too old. */
const TOO_OLD = "OUTBOX_ROW_TOO_OLD";

/** Rows that cannot be accepted as they are, each with its problem and what helps. @param props.parked how many there are */
export function ParkedRows({ parked }: { readonly parked: number }) {
  const rows = useInfiniteQuery(parkedQuery());
  useFreshOn(parked, parkedQuery().queryKey);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = rows;
  return (
    <Loaded query={rows}>
      {(found) => (
        <>
          <div className="list-head">
            <p role="status">{counted(found.length, "parked row")} shown, by problem, the oldest first</p>
          </div>
          {found.length === 0 ? (
            <Empty title="Nothing is parked.">
              Rows that cannot be accepted, such as those with a wrong payload, are listed here.
            </Empty>
          ) : (
            [...new Set(found.map(({ problem }) => problem.code))].map((code) => (
              <Group key={code} code={code} rows={found.filter(({ problem }) => problem.code === code)} />
            ))
          )}
          {hasNextPage && (
            <Button className="button" isDisabled={isFetchingNextPage} onPress={() => void fetchNextPage()}>
              Show more
            </Button>
          )}
        </>
      )}
    </Loaded>
  );
}

/** Rows with one problem, which one cause may have. */
function Group({ code, rows }: { readonly code: string; readonly rows: readonly ParkedRow[] }) {
  return (
    <>
      <div className="list-head">
        <p>
          <Text of={code} isCode /> · {counted(rows.length, "row")}
        </p>
        <ReleaseAll code={code} />
        <DiscardAll code={code} rows={rows} />
      </div>
      <ul className="acts" aria-label={`Rows parked with ${code}`}>
        {rows.map((row) => (
          <li key={row.id} className="section">
            <Row row={row} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Row({ row }: { readonly row: ParkedRow }) {
  const { id, type, idempotencyKey, orderingKey, createdAt, parkedAt, problem, payload, behind } = row;
  return (
    <>
      <div className="section-head">
        <h2>
          <Text of={problem.message} />
        </h2>
        <div className="actions">
          <Release row={row} />
          <Discard row={row} />
        </div>
      </div>
      <p>
        <Text of={type} /> · <Text of={idempotencyKey} />
      </p>
      {problem.issues !== undefined && problem.issues.length > 1 && (
        <ul>
          {problem.issues.map(({ pointer, message }) => (
            <li key={`${pointer} ${message}`}>
              <Text of={pointer} isCode /> <Text of={message} />
            </li>
          ))}
        </ul>
      )}
      {payload !== undefined && <Json value={payload} label={`Payload of row ${id}`} />}
      <p className="quiet">
        Row <Text of={id} /> · added <Relative at={createdAt} /> ·{" "}
        {problem.isAgain ? "released, and parked again" : "parked"} <Relative at={parkedAt} />
        {orderingKey !== null && (
          <>
            {" · "}
            {behind === 0 ? "no row" : counted(behind, "row")} of <Text of={orderingKey} /> behind it
          </>
        )}
      </p>
    </>
  );
}

/** What was typed for an act, the act, and what follows it. */
function useAct(isOptional = true) {
  const client = useQueryClient();
  const notice = useNotice();
  const [reason, setReason] = useState("");
  const why: { readonly reason?: string } = reason.trim() === "" ? {} : { reason: reason.trim() };
  async function act(run: () => Promise<string>) {
    const done = await run().finally(() => client.invalidateQueries({ queryKey: ["outbox"] }));
    setReason("");
    notice(done);
  }
  return { act, why, field: <Reason text={reason} onChange={setReason} isOptional={isOptional} /> };
}

function Release({ row: { id, idempotencyKey, parkedAt, problem } }: { readonly row: ParkedRow }) {
  const { act, why, field } = useAct();
  const [payload, setPayload] = useState("");
  const [type, setType] = useState("");
  const mended = payload.trim() === "" ? {} : parseJson(payload);
  const [isOpen, setOpen] = useState(false);
  const seen = useSeen(parkedAt, isOpen);
  if (!useMay("operate")) return null;

  async function release(): Promise<string> {
    const mending = {
      ...(mended && "value" in mended && { payload: mended.value }),
      ...(type.trim() !== "" && { type: type.trim() }),
    };
    await service.releaseRow(id, { ...mending, ...why, parkedAt: seen });
    setPayload("");
    setType("");
    return "The row waits for a relay.";
  }

  return (
    <ConfirmButton
      label="Release…"
      title={`Release row ${id}?`}
      action="Release"
      isReady={mended !== undefined}
      onOpenChange={setOpen}
      onConfirm={() => act(release)}
    >
      <p>A relay submits it as if it were new. It is parked again if nothing has changed.</p>
      {problem.code === TOO_OLD && (
        <p className="bad">
          It may have become a job already.{" "}
          <To to={`/jobs${query({ idempotencyKey })}`}>Look for its key first</To>
        </p>
      )}
      <Line label="Another type (optional)" value={type} onChange={setType} />
      <JsonField
        label="Another payload, as JSON (optional)"
        text={payload}
        onChange={setPayload}
        isOptional
        rows={5}
      />
      {field}
    </ConfirmButton>
  );
}

function ReleaseAll({ code }: { readonly code: string }) {
  const { act, why, field } = useAct();
  if (!useMay("operate")) return null;
  return (
    <ConfirmButton
      label={`Release all ${code}…`}
      title={`Release all rows that were parked with ${code}?`}
      action="Release all"
      isSmall
      onConfirm={() =>
        act(async () => `${counted(await service.releaseRows({ code, ...why }), "row")} released.`)
      }
    >
      <p>A relay submits them as if they were new. Those for which nothing has changed are parked again.</p>
      {code === TOO_OLD && <p className="bad">Some may have become jobs already.</p>}
      {field}
    </ConfirmButton>
  );
}

function DiscardAll({ code, rows }: { readonly code: string; readonly rows: readonly ParkedRow[] }) {
  const { act, why, field } = useAct(false);
  const [isOpen, setOpen] = useState(false);
  const latest = rows.map(({ parkedAt }) => parkedAt).sort();
  const parkedUntil = useSeen(latest.at(-1) ?? "", isOpen);
  if (!useMay("operate")) return null;
  return (
    <ConfirmButton
      onOpenChange={setOpen}
      label={`Discard all ${code}…`}
      title={`Discard all rows that were parked with ${code}?`}
      action="Discard all"
      isSmall
      isDangerous
      isReady={why.reason !== undefined}
      onConfirm={() =>
        act(async () => {
          const discarded = await service.discardRows({ code, reason: why.reason ?? "", parkedUntil });
          return `${counted(discarded, "row")} deleted.`;
        })
      }
    >
      <p>
        Those that were parked until <TimeOfDay at={parkedUntil} /> are deleted, also those that are not shown
        yet. Their jobs will never exist.
      </p>
      {field}
    </ConfirmButton>
  );
}

function Discard({ row: { id, parkedAt, behind } }: { readonly row: ParkedRow }) {
  const { act, why, field } = useAct();
  const [isOpen, setOpen] = useState(false);
  const seen = useSeen(parkedAt, isOpen);
  if (!useMay("operate")) return null;
  return (
    <ConfirmButton
      onOpenChange={setOpen}
      label="Discard…"
      title={`Discard row ${id}?`}
      action="Discard"
      isDangerous
      onConfirm={() =>
        act(async () => {
          await service.discardRow(id, { ...why, parkedAt: seen });
          return "The row is deleted.";
        })
      }
    >
      <p>
        It is deleted, and its job will never exist.
        {behind > 0 && ` ${counted(behind, "row")} of its ordering key then go on.`}
      </p>
      {field}
    </ConfirmButton>
  );
}
