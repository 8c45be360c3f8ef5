import { type ReactNode, useMemo } from "react";
import {
  Cell,
  Checkbox,
  Collection,
  Column,
  type Key,
  Row,
  type Selection,
  Table,
  TableBody,
  TableHeader,
  TableLayout,
  TableLoadMoreItem,
  Virtualizer,
} from "react-aria-components";
import { NARROW, useMedia } from "./use-media.ts";

export interface LongColumn<T> {
  readonly id: string;
  readonly title: string;
  /** Shows the title to screen readers only. */
  readonly isTitleSpoken?: boolean;
  /** Pixels, or a share of the remaining width, e.g. `2fr`. */
  readonly width: number | `${number}fr`;
  /** Pixels. */
  readonly minWidth?: number;
  readonly isNumber?: boolean;
  readonly cell: (row: T) => ReactNode;
}

/** How rows look. Create it outside of components, so that rows do not re-render needlessly. */
export interface LongTableLook<T> {
  readonly columns: readonly LongColumn<T>[];
  /** The whole row, if there is no room for columns. */
  readonly card: (row: T) => ReactNode;
  /** Pixels. @default 36 */
  readonly rowHeight?: number;
  /** Pixels. @default 84 */
  readonly cardHeight?: number;
}

interface Props<T> {
  readonly label: string;
  readonly look: LongTableLook<T>;
  readonly rows: readonly T[];
  readonly more?: { readonly load: () => void; readonly isLoading: boolean } | undefined;
  readonly selection?: Selected | undefined;
  readonly empty: ReactNode;
}

interface Selected {
  readonly ids: ReadonlySet<string>;
  readonly onChange: (ids: ReadonlySet<string>) => void;
}

const HEADING_HEIGHT = 32;
/** Its box selects all: a finger needs 44 px; its border is a pixel. */
const NARROW_HEADING_HEIGHT = 45;
/** Room for the words that there is nothing. */
const EMPTY_HEIGHT = 176;
const SELECT = "select";

/** A table of any length: only visible rows are rendered. On a narrow screen each row is a card. */
export function LongTable<T extends { readonly id: string }>(props: Props<T>) {
  const { label, look, rows, more, selection, empty } = props;
  const isNarrow = useMedia(NARROW);
  const isSelectable = selection !== undefined;
  const columns = useMemo(() => columnsOf(look, isNarrow, isSelectable), [look, isNarrow, isSelectable]);
  const layout = layoutOf(look, isNarrow, isSelectable);
  return (
    <Virtualizer
      // A new layout must measure everything again.
      key={String(isNarrow)}
      layout={TableLayout}
      layoutOptions={layout}
    >
      <Table
        aria-label={label}
        className={isNarrow ? "long-table cards" : "long-table"}
        style={{ maxHeight: heightOf(layout, rows.length, more !== undefined) }}
        {...(selection !== undefined && selectionProps(selection, rows))}
      >
        <TableHeader columns={columns}>
          {(column) => (
            <Column
              id={column.id}
              isRowHeader={column.isRowHeader}
              width={column.width}
              minWidth={column.minWidth ?? 40}
              className={column.isNumber === true ? "number" : ""}
            >
              {column.id === SELECT ? <SelectBox label="Select all" /> : <Title of={column} />}
            </Column>
          )}
        </TableHeader>
        <TableBody renderEmptyState={() => empty}>
          <Collection items={rows} dependencies={[columns]}>
            {(row) => (
              <Row id={row.id} columns={columns}>
                {(column) => (
                  <Cell className={column.isNumber === true ? "number" : ""}>
                    {column.id === SELECT ? <SelectBox label="Select" /> : column.cell(row)}
                  </Cell>
                )}
              </Row>
            )}
          </Collection>
          {more !== undefined && (
            <TableLoadMoreItem onLoadMore={more.load} isLoading={more.isLoading} className="loading">
              Loading more…
            </TableLoadMoreItem>
          )}
        </TableBody>
      </Table>
    </Virtualizer>
  );
}

function Title({ of: { title, isTitleSpoken } }: { readonly of: LongColumn<never> }) {
  return isTitleSpoken === true ? <span className="spoken">{title}</span> : title;
}

function SelectBox({ label }: { readonly label: string }) {
  return (
    <Checkbox slot="selection" aria-label={label} className="checkbox">
      <span className="box" aria-hidden="true" />
    </Checkbox>
  );
}

function columnsOf<T>({ columns, card }: LongTableLook<T>, isNarrow: boolean, isSelectable: boolean) {
  const shown: readonly LongColumn<T>[] = isNarrow
    ? [{ id: "card", title: "What", isTitleSpoken: true, width: "1fr", cell: card }]
    : columns;
  const select: LongColumn<T> = { id: SELECT, title: "", width: 44, cell: () => null };
  return [
    ...(isSelectable ? [{ ...select, isRowHeader: false }] : []),
    ...shown.map((column, index) => ({ ...column, isRowHeader: index === 0 })),
  ];
}

function layoutOf<T>(look: LongTableLook<T>, isNarrow: boolean, isSelectable: boolean) {
  const { rowHeight = 36, cardHeight = 84 } = look;
  const hasHeading = !isNarrow || isSelectable;
  return {
    rowHeight: isNarrow ? cardHeight : rowHeight,
    headingHeight: hasHeading ? (isNarrow ? NARROW_HEADING_HEIGHT : HEADING_HEIGHT) : 1,
    loaderHeight: 40,
  };
}

/** No higher than its content. */
function heightOf(layout: ReturnType<typeof layoutOf>, rows: number, hasMore: boolean): number {
  const borders = 2;
  if (rows === 0) return EMPTY_HEIGHT;
  return layout.headingHeight + rows * layout.rowHeight + (hasMore ? layout.loaderHeight : 0) + borders;
}

function selectionProps(
  { ids, onChange }: Selected,
  rows: readonly { readonly id: string }[],
): {
  selectionMode: "multiple";
  selectedKeys: Iterable<Key>;
  onSelectionChange: (chosen: Selection) => void;
} {
  return {
    selectionMode: "multiple",
    selectedKeys: ids,
    onSelectionChange: (chosen) =>
      onChange(new Set(chosen === "all" ? rows.map(({ id }) => id) : [...chosen].map(String))),
  };
}
