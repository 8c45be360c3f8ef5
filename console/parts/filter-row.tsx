import { useSearchParams } from "wouter";
import { Member } from "./filter-fields.tsx";
import type { FilterField } from "./filters.ts";
import "./filter-row.css";

/** A filter as a form has it: a text for each member. Empty ones do not count. */
export type FilterOf<Name extends string> = Readonly<Record<Name, string>>;

interface Props<Name extends string> {
  /** What is filtered. */
  readonly label: string;
  readonly fields: readonly (FilterField & { readonly name: Name })[];
  readonly filter: FilterOf<Name>;
  readonly onChange: (filter: FilterOf<Name>) => void;
  /** The values that a member can have. @default any text will do */
  readonly known?: Readonly<Partial<Record<Name, readonly string[]>>>;
  /** What a value is called. @default itself */
  readonly wordFor?: (value: string) => string | undefined;
}

/** One row of fields, which says what a list has. */
export function FilterRow<Name extends string>(props: Props<Name>) {
  const { label, fields, filter, onChange, known, wordFor } = props;
  return (
    <search className="filter-row" aria-label={label}>
      {fields.map((field) => (
        <Member
          key={field.name}
          field={field}
          known={known?.[field.name]}
          wordFor={wordFor}
          value={filter[field.name]}
          onChange={(text) => onChange({ ...filter, [field.name]: text })}
        />
      ))}
    </search>
  );
}

/** The address holds the filter, beside what else it says. */
export function useFilterInAddress<Name extends string>(names: readonly Name[]) {
  const [params, setParams] = useSearchParams();
  const filter = Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""])) as FilterOf<Name>;
  function setFilter(changes: Partial<FilterOf<Name>>) {
    const wanted = new URLSearchParams(params);
    for (const name of names) wanted.delete(name);
    for (const name of names) {
      const text = changes[name] ?? filter[name];
      if (text !== "") wanted.append(name, text);
    }
    setParams(wanted, { replace: true });
  }
  return { filter, setFilter, isFiltered: names.some((name) => filter[name] !== "") };
}
