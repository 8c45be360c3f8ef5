import { useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { Icon } from "./icon.tsx";
import { visible } from "./visible.ts";

interface Props<Act extends string> {
  /** Of what they are, e.g. the name of a queue. */
  readonly of: string;
  /** The acts, each with its words. */
  readonly acts: Readonly<Partial<Record<Act, string>>>;
  readonly onAct: (act: Act) => void;
}

/** What can be done to a row, behind one button. An open menu keeps what it was opened with, whatever others do. */
export function RowMenu<Act extends string>({ of, acts: now, onAct }: Props<Act>) {
  const [opened, open] = useState<Props<Act>["acts"]>();
  const acts = opened ?? now;
  return (
    <MenuTrigger onOpenChange={(isOpen) => open(isOpen ? now : undefined)}>
      <Button className="button small more" aria-label={visible(`Acts on ${of}`)}>
        <Icon of="more" />
      </Button>
      <Popover placement="bottom end">
        <Menu className="menu" onAction={(act) => onAct(act as Act)}>
          {(Object.keys(acts) as Act[]).map((act) => (
            <MenuItem key={act} id={act} className="menu-item">
              {acts[act]}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
