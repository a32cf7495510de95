// Five drivers, each broken in one way that has ended in wrong values or hung gateways in the field. They show that
// the contract's checks can fail; nothing but that test uses them.
import { setTimeout as wait } from 'node:timers/promises';
import { Status } from '../../model.ts';
import type { DeviceRequest, Link } from '../../driver.ts';
import { TinyDriver } from './tiny.ts';

/** Goes on for as long as its connection does, whatever the signal says; also while it is trying to connect. */
export class IgnoresAbort extends TinyDriver {
  override async run(link: Link): Promise<void> {
    const never = new AbortController().signal;
    await super.run(link, never);
  }
}

/** Shows the last known value again as good once the device is gone. */
export class GoodAfterLoss extends TinyDriver {
  protected override whenLost(link: Link, error: Error): void {
    link.offline(error.message);
    const [point] = this.points;
    if (point) link.emit([{ tag: point.tag, value: 1, status: Status.good }]);
    throw error;
  }
}

/** Reports changes and never says that what has not changed is still true. */
export class NoProofOfLife extends TinyDriver {
  protected override prove(): void {}
}

/** Carries a request out however late it is. */
export class LateRequest extends TinyDriver {
  protected override isExpired(_link: Link, _request: DeviceRequest): boolean {
    return false;
  }
}

/** Catches the loss and silently tries again: nobody learns that the device was away. */
export class SwallowsError extends TinyDriver {
  override async run(link: Link, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await super.run(link, signal);
      await wait(50);
    }
  }
  protected override whenLost(): void {}
}
