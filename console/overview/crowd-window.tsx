import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Input, Label, TextField } from "react-aria-components";
import { Form, Window } from "../parts/dialog.tsx";
import { Figure } from "../parts/figure.tsx";
import { count } from "../parts/format.ts";
import { ActProblem, useLate } from "../parts/late.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Scroller } from "../parts/page.tsx";
import { Reason } from "../parts/reason.tsx";
import { Loaded } from "../parts/states.tsx";
import { visible } from "../parts/visible.ts";
import type { Crowd, QueueOverview } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { type CurbOf, curbText, whichOf } from "./curb-text.ts";
import { crowdQuery } from "./queries.ts";

interface Props {
  readonly queue: string;
  /** What is paused or limited of it, as the page shows it. */
  readonly curbs: readonly Curb[];
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Whose jobs a queue has, by type and by key, and a way to pause or limit one of them. */
export function CrowdWindow({ queue, curbs, isOpen, onClose }: Props) {
  const [curbed, curb] = useState<SeenCurb | null>(null);
  const crowd = useQuery({ ...crowdQuery(queue), enabled: isOpen });
  function close() {
    curb(null);
    onClose();
  }
  return (
    <Window title={`Who has jobs in ${queue}?`} isOpen={isOpen} onClose={close}>
      {curbed === null ? (
        <Loaded query={crowd}>
          {(found) => <Found crowd={found} onCurb={(of) => curb({ ...of, since: sinceOf(curbs, of) })} />}
        </Loaded>
      ) : (
        <CurbForm queue={queue} of={curbed} onDone={close} onBack={() => curb(null)} />
      )}
    </Window>
  );
}

function Found({ crowd, onCurb }: { readonly crowd: Crowd; readonly onCurb: (of: CurbOf) => void }) {
  const types = crowd.types.map(({ type, ...counts }) => ({ type, key: null, ...counts }));
  const keys = crowd.keys.map(({ key, ...counts }) => ({ type: null, key, ...counts }));
  return (
    <>
      {crowd.isEstimate && <p className="quiet">Estimated from 400 jobs of each long list.</p>}
      <Counts title="Type" rows={types} onCurb={onCurb} />
      {keys.length === 0 ? (
        <p className="quiet">No key of its jobs has a label: contracts can give them one.</p>
      ) : (
        <>
          <Counts title="Key" rows={keys} onCurb={onCurb} />
          <WithoutLabel of={crowd.withoutLabel} />
        </>
      )}
    </>
  );
}

/** Their keys are known to Redis alone, as hashes: nobody could say whose they are. */
function WithoutLabel({ of: { waiting, running } }: { readonly of: Crowd["withoutLabel"] }) {
  if (waiting + running === 0) return null;
  return (
    <p className="quiet">
      {`Besides, ${count(waiting)} wait and ${count(running)} run whose key has no label, or that have none.`}
    </p>
  );
}

type Curb = QueueOverview["curbs"][number];

/** Since when it is paused or limited; null where it is not. */
interface SeenCurb extends CurbOf {
  readonly since: string | null;
}

function sinceOf(curbs: readonly Curb[], { type, key }: CurbOf): string | null {
  return curbs.find((curb) => curb.type === type && curb.key === key)?.since ?? null;
}

interface Row extends CurbOf {
  readonly waiting: number;
  readonly running: number;
  readonly started: number;
  readonly failed: number;
}

interface CountsProps {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly onCurb: (of: CurbOf) => void;
}

function Counts({ title, rows, onCurb }: CountsProps) {
  return (
    <Scroller label={`By ${title.toLowerCase()}`}>
      <table className="figures queues crowd">
        <thead>
          <tr>
            <th scope="col">{title}</th>
            <th scope="col">Waiting</th>
            <th scope="col">Running</th>
            <th scope="col">Started, 5 min</th>
            <th scope="col">Failed</th>
            <th scope="col">
              <span className="spoken">Action</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={curbText(row)}>
              <th scope="row">
                <Text of={row.type ?? row.key ?? ""} />
              </th>
              <Figure title="Waiting">{count(row.waiting)}</Figure>
              <Figure title="Running">{count(row.running)}</Figure>
              <Figure title="Started, 5 min">{count(row.started)}</Figure>
              <Figure title="Failed">{count(row.failed)}</Figure>
              <td className="hand">
                <Button
                  className="button small"
                  aria-label={visible(`Pause or limit ${curbText(row)}`)}
                  onPress={() => onCurb(row)}
                >
                  Pause or limit…
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}

const NUMBER = /^[1-9]\d{0,5}$/;

interface FormProps {
  readonly queue: string;
  readonly of: SeenCurb;
  readonly onDone: () => void;
  readonly onBack: () => void;
}

function CurbForm({ queue, of, onDone, onBack }: FormProps) {
  const [limit, setLimit] = useState("");
  const [reason, setReason] = useState("");
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);
  const notice = useNotice();
  const client = useQueryClient();
  const isLimit = limit !== "";
  const isReady = isLimit ? NUMBER.test(limit) : reason.trim() !== "";
  const what = `${curbText(of)} of ${queue}`;
  const late = useLate(`${isLimit ? "Limit" : "Pause"} ${what}?`);

  async function curb() {
    setPending(true);
    setThrown(null);
    try {
      const { since } = of;
      await (isLimit
        ? service.limitQueue(queue, {
            ...{ ...whichOf(of), concurrency: Number(limit), expect: { limitedSince: since } },
          })
        : service.pauseQueue(queue, {
            ...{ ...whichOf(of), reason: reason.trim(), expect: { pausedSince: since } },
          }));
      notice(isLimit ? `${what} is limited to ${limit} at a time.` : `${what} is paused.`);
      await client.invalidateQueries({ queryKey: ["crowd", queue] });
      if (!late.isLeft()) onDone();
    } catch (refusal) {
      if (!late.tell(refusal)) setThrown(refusal);
    } finally {
      setPending(false);
    }
  }

  return (
    <Form onSubmit={() => isReady && !isPending && void curb()}>
      <p>
        <b>{visible(what)}</b>: its jobs are held, not failed; those that run go on, and others are still
        accepted. It stays so until somebody lets it go.
      </p>
      <TextField
        validationBehavior="aria"
        className="field"
        value={limit}
        onChange={(text) => setLimit(text.trim())}
        maxLength={6}
      >
        <Label>How many may run at a time; empty: none</Label>
        <Input inputMode="numeric" />
      </TextField>
      {!isLimit && <Reason text={reason} onChange={setReason} />}
      {thrown !== null && <ActProblem thrown={thrown} />}
      <div className="window-actions">
        <Button className="button" onPress={onBack}>
          Back
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={isPending}>
          {isLimit ? "Limit" : "Pause"}
        </Button>
      </div>
    </Form>
  );
}
