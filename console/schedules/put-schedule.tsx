import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { typesQuery } from "../jobs/queries.ts";
import { Form, Window } from "../parts/dialog.tsx";
import { Moment } from "../parts/filter-fields.tsx";
import { Choose, Line } from "../parts/form-fields.tsx";
import { JsonField, parseJson, REDACTED } from "../parts/json-field.tsx";
import { ActProblem, useLate } from "../parts/late.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Loaded } from "../parts/states.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";
import {
  type Draft,
  definitionOf,
  draftOf,
  emptyDraft,
  type Faults,
  faultsOf,
  requireFree,
} from "./draft.ts";
import { definitionQuery } from "./queries.ts";
import "./put-schedule.css";

/** Makes a schedule. */
export function NewSchedule() {
  const [isOpen, setOpen] = useState(false);
  if (!useMay("operate")) return null;
  const close = () => setOpen(false);
  return (
    <>
      <Button className="button" onPress={() => setOpen(true)}>
        New schedule…
      </Button>
      <Window title="New schedule" isOpen={isOpen} onClose={close}>
        <New onClose={close} />
      </Window>
    </>
  );
}

/** Changes the schedule with this name. */
export function ChangeSchedule(props: ChangeProps & { readonly isOpen: boolean }) {
  const { name, version, isOpen, onClose } = props;
  const seen = useSeen(version, isOpen);
  return (
    <Window title={`Change ${name}`} isOpen={isOpen} onClose={onClose}>
      <Change name={name} version={seen} onClose={onClose} />
    </Window>
  );
}

interface Closing {
  readonly onClose: () => void;
}

function New({ onClose }: Closing) {
  const types = useQuery(typesQuery());
  return (
    <Loaded query={types}>
      {(found) => <PutForm isNew before={emptyDraft(found[0]?.type ?? "")} onClose={onClose} />}
    </Loaded>
  );
}

interface ChangeProps extends Closing {
  readonly name: string;
  /** The one that the page shows. */
  readonly version: number | undefined;
}

function Change({ name, version, onClose }: ChangeProps) {
  const definition = useQuery(definitionQuery(name));
  return (
    <Loaded query={definition}>
      {(found) => <PutForm before={draftOf(name, found)} version={version} onClose={onClose} />}
    </Loaded>
  );
}

interface FormProps extends Closing {
  readonly isNew?: boolean;
  /** That which is changed. */
  readonly version?: number | undefined;
  readonly before: Draft;
}

function PutForm({ isNew = false, version, before, onClose }: FormProps) {
  const [draft, setDraft] = useState(before);
  const { put, isPending, thrown } = usePut(isNew, version, onClose);
  const faults = faultsOf(thrown);
  const change = (changes: Partial<Draft>) => setDraft({ ...draft, ...changes });
  const isReady =
    draft.name.trim() !== "" && parseJson(draft.payload) !== undefined && !draft.payload.includes(REDACTED);
  return (
    <Form isQuick={false} onSubmit={() => isReady && !isPending && void put(draft)}>
      <Fields draft={draft} isNew={isNew} faults={faults ?? {}} onChange={change} />
      {thrown !== null && faults === undefined && <ActProblem thrown={thrown} />}
      <p className="bad" role="alert">
        {faults !== undefined && "It is not put: see what is wrong above."}
      </p>
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={isPending}>
          {isNew ? "Put it" : "Change it"}
        </Button>
      </div>
    </Form>
  );
}

interface FieldsProps {
  readonly draft: Draft;
  readonly isNew: boolean;
  readonly faults: Faults;
  readonly onChange: (changes: Partial<Draft>) => void;
}

function Fields({ draft, isNew, faults, onChange }: FieldsProps) {
  const types = useQuery(typesQuery()).data?.map(({ type }) => type) ?? [];
  const known = Object.fromEntries([...types, draft.type].map((type) => [type, type]));
  const of = <Name extends keyof Draft>(name: Name) => ({
    value: draft[name],
    fault: faults[name],
    onChange: (value: Draft[Name]) => onChange({ [name]: value }),
  });
  return (
    <div className="put-schedule">
      <Line label="Name" {...of("name")} isFixed={!isNew} isRequired placeholder="acme-daily-digest" />
      <Choose label="Job type" {...of("type")} options={known} />
      <Choose label="When" {...of("kind")} options={{ cron: "By the clock (cron)", every: "At intervals" }} />
      {draft.kind === "cron" ? (
        <>
          <Line label="Cron: minute, hour, day, month, weekday" {...of("cron")} placeholder="0 9 * * 1-5" />
          <Line label="Time zone" {...of("timeZone")} known={Intl.supportedValuesOf("timeZone")} />
        </>
      ) : (
        <Line label="Every" {...of("every")} placeholder="15 min" />
      )}
      <JsonField
        label="Payload of each tick's job, as JSON"
        text={draft.payload}
        onChange={(payload) => onChange({ payload })}
        fault={faults.payload}
        rows={5}
      />
      <Choose label="Ticks that no scheduler was there for" {...of("catchUp")} options={catchUps} />
      {draft.catchUp === "all" && <Line label="At most" {...of("max")} placeholder="100" />}
      {draft.catchUp !== "none" && <Line label="Not those older than" {...of("window")} placeholder="24 h" />}
      <Choose label="While an earlier tick's job has not ended" {...of("overlap")} options={overlaps} />
      <Moment label="First tick from (optional)" {...of("startsAt")} />
      <Moment label="No tick from (optional)" {...of("endsAt")} />
    </div>
  );
}

const catchUps = { none: "are skipped", latest: "the latest runs later", all: "run later" };
const overlaps = { allow: "a tick runs beside it", skip: "ticks are skipped", "queue-one": "one tick waits" };

function usePut(isNew: boolean, version: number | undefined, onClose: () => void) {
  const client = useQueryClient();
  const notice = useNotice();
  const late = useLate("Put the schedule?");
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);

  async function put(draft: Draft) {
    setPending(true);
    setThrown(null);
    try {
      const name = draft.name.trim();
      if (isNew) await requireFree(name);
      const expect = { version: version ?? null };
      const { stored } = await service.putSchedule(name, { ...definitionOf(draft), expect });
      if (!late.isLeft()) onClose();
      notice(`${name} is put, version ${stored?.version}.`);
      await client.invalidateQueries({ queryKey: ["schedules"] });
    } catch (refusal) {
      if (!late.tell(refusal)) setThrown(refusal);
    } finally {
      setPending(false);
    }
  }
  return { put, isPending, thrown };
}
