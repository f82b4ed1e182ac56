/** Everything this package throws on purpose; each says what was expected, what it got and what to do. Pure. */

export interface Facts {
  readonly expected: string;
  readonly got: string;
  readonly advice: string;
}

export class SidemanError extends Error {
  readonly expected: string;
  readonly got: string;
  readonly advice: string;

  constructor({ expected, got, advice }: Facts) {
    super(`expected ${expected}, got ${got}: ${advice}`);
    this.name = new.target.name;
    this.expected = expected;
    this.got = got;
    this.advice = advice;
  }
}

/** No connection, or no proper opening of the session. */
export class CannotConnect extends SidemanError {}

/** The gateway closed and coming back would not help; `code` is the close code. */
export class ClosedByGateway extends SidemanError {
  readonly code: number;

  constructor(facts: Facts, code: number) {
    super(facts);
    this.code = code;
  }
}

/** Something was to be sent after the session had ended. */
export class NotConnected extends SidemanError {}

/** A message from the gateway that this package cannot read. */
export class UnreadableMessage extends SidemanError {}

/** The gateway refused a `configure`; the settings are as before. */
export class SettingRefused extends SidemanError {}

/** The gateway gave no chords for a whole melody. */
export class HarmonizeRefused extends SidemanError {}

/** The gateway did not answer in time. */
export class NoAnswer extends SidemanError {}

/** A note event that is older than what was already reported. */
export class EventOutOfOrder extends SidemanError {}
