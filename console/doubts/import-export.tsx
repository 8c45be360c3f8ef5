import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "react-aria-components";
import {
  evidenceOfRest,
  type ImportPlan,
  type UntilDoubt,
  wallTime,
} from "../../src/desk/doubts/provider-export.ts";
import { durationText } from "../../src/platform/lib/duration-text.ts";
import { Window } from "../parts/dialog.tsx";
import { Words } from "../parts/filter-fields.tsx";
import { count, counted } from "../parts/format.ts";
import { ActProblem, useLate } from "../parts/late.tsx";
import { Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { ProblemNote } from "../parts/states.tsx";
import type { Doubt } from "../service/answers.ts";
import { ConfirmPending } from "./confirm-pending.tsx";
import { type ImportProposal, type ImportRequest, proposeImport } from "./propose-import.ts";
import type { DoubtFilter } from "./queries.ts";
import { pendingOf, resolveAll, useRefreshDoubts } from "./resolve-all.ts";
import { Evidence } from "./resolve-form.tsx";

interface Props {
  /** Which doubts the export is about. */
  readonly filter: DoubtFilter;
  readonly isFiltered: boolean;
}

/** Resolves what a provider's export names. The file stays in the browser. */
export function ImportExport({ filter, isFiltered }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button className="button small" onPress={() => setOpen(true)}>
        Import an export…
      </Button>
      <Window title="Resolve by a provider’s export" isOpen={isOpen} onClose={() => setOpen(false)}>
        <p>
          What the export names by its effect key happened: it is resolved as done.
          {isFiltered && " Only doubts that match the filter count."}
        </p>
        <ImportForm filter={filter} onClose={() => setOpen(false)} />
      </Window>
    </>
  );
}

interface FormProps {
  readonly filter: DoubtFilter;
  readonly onClose: () => void;
}

function ImportForm({ filter, onClose }: FormProps) {
  const [request, setRequest] = useState<ImportRequest | null>(null);
  const propose = useMutation({ mutationFn: proposeImport });
  /** A preview is of what it was asked for. */
  function preview(changed: ImportRequest) {
    setRequest(changed);
    propose.mutate(changed);
  }
  return (
    <div className="resolve-form">
      <FileField
        onChange={(file) => preview({ column: "", until: "", zone: OWN_ZONE, ...request, file, filter })}
      />
      {request !== null && <Options request={request} onChange={preview} />}
      {propose.error !== null && <ProblemNote thrown={propose.error} />}
      {request !== null && propose.data !== undefined ? (
        <Proposal
          key={`${request.file.name} ${request.until}`}
          file={request.file}
          until={request.until}
          plan={propose.data}
          onClose={onClose}
        />
      ) : (
        <div className="window-actions">
          <Button className="button" onPress={onClose}>
            Not now
          </Button>
        </div>
      )}
    </div>
  );
}

interface OptionsProps {
  readonly request: ImportRequest;
  readonly onChange: (changed: ImportRequest) => void;
}

function Options({ request, onChange }: OptionsProps) {
  return (
    <>
      <Words
        label="Column or field with the effect keys (optional)"
        value={request.column}
        onChange={(column) => onChange({ ...request, column })}
      />
      <Until
        onChange={(until, zone) => onChange({ ...request, until, zone })}
        until={request.until}
        zone={request.zone}
      />
    </>
  );
}

const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ZONES = [...new Set([OWN_ZONE, "UTC", ...Intl.supportedValuesOf("timeZone")])];

interface UntilProps {
  /** ISO 8601 in UTC; empty for none. */
  readonly until: string;
  readonly zone: string;
  readonly onChange: (until: string, zone: string) => void;
}

/** An instant decides what runs again: so its zone is chosen, and it is shown in UTC, too. */
function Until({ until, zone, onChange }: UntilProps) {
  const [wall, setWall] = useState("");
  function change(time: string, chosen: string) {
    setWall(time);
    const at = wallTime(time, chosen);
    onChange(at === undefined ? "" : new Date(at).toISOString(), chosen);
  }
  return (
    <>
      <label className="field">
        The export is complete until (optional): what was in doubt a minute before then and is not in it is
        not done, and runs again
        <input type="datetime-local" value={wall} onChange={({ target }) => change(target.value, zone)} />
        {until !== "" && <span>That is {until.slice(0, 16).replace("T", " ")} UTC.</span>}
      </label>
      <label className="field">
        Time zone of that, and of times in the export that name none
        <select value={zone} onChange={({ target }) => change(wall, target.value)}>
          {ZONES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </>
  );
}

function FileField({ onChange }: { readonly onChange: (file: File) => void }) {
  return (
    <label className="field">
      File
      <input
        type="file"
        accept=".csv,.tsv,.txt,.json,.ndjson,.jsonl"
        onChange={({ target }) => {
          const [file] = target.files ?? [];
          if (file !== undefined) onChange(file);
        }}
      />
      <span>CSV with a heading, or NDJSON: one JSON object a line. It stays in your browser.</span>
    </label>
  );
}

interface ActionsProps {
  readonly label: string;
  readonly isReady: boolean;
  readonly isPending: boolean;
  readonly onClose: () => void;
}

function Actions({ label, isReady, isPending, onClose }: ActionsProps) {
  return (
    <div className="window-actions">
      <Button className="button" onPress={onClose}>
        Not now
      </Button>
      <Button type="submit" className="button main" isDisabled={!isReady} isPending={isPending}>
        {label}
      </Button>
    </div>
  );
}

interface ProposalProps {
  readonly file: File;
  /** Empty where those that it does not name stay. */
  readonly until: string;
  readonly plan: ImportProposal;
  readonly onClose: () => void;
}

/** What would be resolved, and the evidence for it. */
function Proposal({ file, until, plan, onClose }: ProposalProps) {
  const [evidence, setEvidence] = useState(`the export ${file.name}`);
  const [isConfirmed, confirm] = useState(false);
  const [isUntilRight, confirmUntil] = useState(false);
  const apply = useApply(plan, { until, confirm: isConfirmed, onClose });
  const isSure = plan.doubtfulUntil === undefined || plan.notDone.length === 0 || isUntilRight;
  const isReady = evidence.trim() !== "" && plan.done.length + plan.notDone.length > 0 && isSure;
  function submit(event: FormEvent) {
    event.preventDefault();
    if (isReady && !apply.isPending) apply.mutate(evidence.trim());
  }
  return (
    <form className="resolve-form" onSubmit={submit}>
      <Preview plan={plan} />
      {plan.doubtfulUntil?.kind === "ends-before" && plan.notDone.length > 0 && (
        <ConfirmUntil doubt={plan.doubtfulUntil} isConfirmed={isUntilRight} onChange={confirmUntil} />
      )}
      <Evidence text={evidence} onChange={setEvidence} />
      <ConfirmPending
        pending={pendingOf(plan.notDone, "not-done")}
        isConfirmed={isConfirmed}
        onChange={confirm}
      />
      {apply.error !== null && <ActProblem thrown={apply.error} />}
      <Actions label={applyText(plan)} isReady={isReady} isPending={apply.isPending} onClose={onClose} />
    </form>
  );
}

interface ConfirmUntilProps {
  readonly doubt: Extract<UntilDoubt, { kind: "ends-before" }>;
  readonly isConfirmed: boolean;
  readonly onChange: (isConfirmed: boolean) => void;
}

/** A wrong hour, or zone, would run again what the export does not name yet. */
function ConfirmUntil({ doubt: { latest, byMs }, isConfirmed, onChange }: ConfirmUntilProps) {
  return (
    <label className="bad">
      <input type="checkbox" checked={isConfirmed} onChange={({ target }) => onChange(target.checked)} /> The
      latest time in the export is {new Date(latest).toISOString().slice(0, 16).replace("T", " ")} UTC,{" "}
      {durationText(Math.floor(byMs / 60_000) * 60_000)} before that. It is complete until then all the same.
    </label>
  );
}

function applyText({ done, notDone }: ImportPlan<Doubt>): string {
  const rest = notDone.length === 0 ? "" : `, ${count(notDone.length)} as not done`;
  return `Resolve ${count(done.length)} as done${rest}`;
}

const LISTED_MAX = 100;

/** What runs again comes first: it is what cannot be taken back. */
function Preview({ plan: { done, notDone, left } }: Pick<ProposalProps, "plan">) {
  const all = done.length + notDone.length + left;
  return (
    <div className="window-text" role="status">
      <p>
        <b>
          {count(done.length)} of {counted(all, "effect")}
        </b>{" "}
        in doubt {done.length === 1 ? "is" : "are"} in the export.
        {left > 0 && ` ${count(left)} ${left === 1 ? "stays" : "stay"} in doubt.`}
      </p>
      {done.length === 0 && notDone.length > 0 && (
        <p className="bad">The export names none of them. Is it the right file, and complete?</p>
      )}
      {notDone.length > 0 && (
        <>
          <p className="bad">
            <b>{counted(notDone.length, "effect")}</b> {notDone.length === 1 ? "is" : "are"} not in it, and{" "}
            {notDone.length === 1 ? "runs" : "run"} again:
          </p>
          <Proposed as="not done" doubts={notDone} label="What would run again" />
        </>
      )}
      {done.length > 0 && <Proposed as="done" doubts={done} label="What would be resolved as done" />}
    </div>
  );
}

interface ProposedProps {
  readonly as: string;
  readonly doubts: readonly Doubt[];
  readonly label: string;
}

function Proposed({ as, doubts, label }: ProposedProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <ul className="proposed" tabIndex={0} aria-label={label}>
      {doubts.slice(0, LISTED_MAX).map(({ jobId, effect, type, idempotencyKey }) => (
        <li key={`${jobId} ${effect}`}>
          <b>{as}</b> <Text of={effect} /> · <Text of={type ?? ""} /> · <Text of={idempotencyKey ?? jobId} />
        </li>
      ))}
      {doubts.length > LISTED_MAX && <li className="quiet">and {count(doubts.length - LISTED_MAX)} more</li>}
    </ul>
  );
}

interface HowToApply {
  readonly until: string;
  readonly confirm: boolean;
  readonly onClose: () => void;
}

function useApply({ done, notDone }: ImportPlan<Doubt>, { until, confirm, onClose }: HowToApply) {
  const refresh = useRefreshDoubts();
  const notice = useNotice();
  const late = useLate("Resolve by the export?");
  return useMutation({
    async mutationFn(evidence: string) {
      const asDone = await resolveAll(done, { as: "done", evidence });
      const rest = { evidence: evidenceOfRest(evidence), confirm, completeUntil: until, actId: asDone.actId };
      return asDone.resolved + (await resolveAll(notDone, { as: "not-done", ...rest })).resolved;
    },
    async onSuccess(resolved) {
      if (!late.isLeft()) onClose();
      notice(`${counted(resolved, "effect")} resolved. Their jobs are in line again.`);
    },
    onError: late.tell,
    onSettled: refresh,
  });
}
