import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Checkbox, FileTrigger } from "react-aria-components";
import { Window } from "../parts/dialog.tsx";
import { count, counted } from "../parts/format.ts";
import { useNotice } from "../parts/notice.tsx";
import { ProblemNote } from "../parts/states.tsx";
import { useMay } from "../service/session.ts";
import type { DoubtRow } from "./queries.ts";
import { resolveEach } from "./resolve-each.ts";
import { Evidence, TOUCHED } from "./resolve-form.tsx";

interface Export {
  readonly name: string;
  readonly text: string;
}

/** Resolves what a provider's export names, as `holdfast doubts import` does. */
export function ImportExport({ doubts }: { readonly doubts: readonly DoubtRow[] }) {
  const [file, setFile] = useState<Export | null>(null);
  if (!useMay("operate")) return null;

  async function open(files: FileList | null) {
    const [chosen] = files ?? [];
    if (chosen !== undefined) setFile({ name: chosen.name, text: await chosen.text() });
  }

  return (
    <>
      <FileTrigger
        acceptedFileTypes={[".csv", ".ndjson", ".json", ".txt"]}
        onSelect={(files) => void open(files)}
      >
        <Button className="button small">Import an export…</Button>
      </FileTrigger>
      {file !== null && (
        <Window title={`What ${file.name} names`} isOpen onClose={() => setFile(null)}>
          <Form file={file} doubts={doubts} onClose={() => setFile(null)} />
        </Window>
      )}
    </>
  );
}

/** An effect's key: 22 URL-safe characters that are not part of a longer word. */
const KEY = /(?<![\w-])[\w-]{22}(?![\w-])/g;

interface FormProps {
  readonly file: Export;
  readonly doubts: readonly DoubtRow[];
  readonly onClose: () => void;
}

function Form({ file, doubts, onClose }: FormProps) {
  // As it was when the file was chosen: what is resolved leaves the list.
  const [plan] = useState(() => planOf(file, doubts));
  const [evidence, setEvidence] = useState(`the export ${file.name}`);
  const [hasRest, setHasRest] = useState(false);
  const { run, isPending, thrown } = useResolvePlan(plan, onClose);
  const chosen = plan.done.length + (hasRest ? plan.others.length : 0);
  const isReady = chosen > 0 && evidence.trim() !== "";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (isReady) void run(evidence.trim(), hasRest);
  }

  return (
    <form onSubmit={submit} className="resolve-form">
      <p role="status">
        It names {count(plan.done.length)} of {counted(doubts.length, "effect")} listed here. They are
        resolved as done.
      </p>
      <Checkbox
        className="checkbox worded"
        isSelected={hasRest}
        onChange={setHasRest}
        isDisabled={plan.others.length === 0}
      >
        <span className="box" aria-hidden="true" /> Resolve the other {count(plan.others.length)} as not done:
        they run again. Only if the export is complete.
      </Checkbox>
      <Evidence text={evidence} onChange={setEvidence} />
      {thrown !== null && <ProblemNote thrown={thrown} />}
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={isPending}>
          Resolve {count(chosen)}
        </Button>
      </div>
    </form>
  );
}

interface Plan {
  readonly done: readonly DoubtRow[];
  /** Not in the export. One whose key is not known can never be in it, and is left out. */
  readonly others: readonly DoubtRow[];
}

function planOf({ text }: Export, doubts: readonly DoubtRow[]): Plan {
  const named = new Set(text.match(KEY));
  const known = doubts.filter(({ effectKey }) => effectKey !== null);
  const isNamed = ({ effectKey }: DoubtRow) => named.has(effectKey ?? "");
  return { done: known.filter(isNamed), others: known.filter((doubt) => !isNamed(doubt)) };
}

function useResolvePlan({ done, others }: Plan, onClose: () => void) {
  const client = useQueryClient();
  const notice = useNotice();
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);

  async function run(evidence: string, hasRest: boolean) {
    setPending(true);
    setThrown(null);
    try {
      const happened = await resolveEach(done, { as: "done", evidence });
      const rest = hasRest
        ? await resolveEach(others, { as: "not-done", evidence: `not in: ${evidence}` })
        : 0;
      onClose();
      notice(`${count(happened)} resolved as done, ${count(rest)} as not done. The jobs continue.`);
    } catch (refusal) {
      setThrown(refusal);
    } finally {
      setPending(false);
      await Promise.all(TOUCHED.map((name) => client.invalidateQueries({ queryKey: [name] })));
    }
  }
  return { run, isPending, thrown };
}
