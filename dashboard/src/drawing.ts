// What the chart paints besides its curves: the hatch where nothing is known, limits, the unit, the bar over what history
// lacks, names at the curves' ends, all in the page's own colours. Called by chart.ts's options, from uPlot's hooks.
import type uPlot from 'uplot';
import { tellApart } from './names.ts';
import type { ChartData } from './series.ts';

export interface Look {
  hues: string[];
  fg: string;
  muted: string;
  line: string;
  panel: string;
  hatch: string;
}

/** Resolves the page's colours for a canvas, which knows no custom properties. */
export function readLook(host: HTMLElement): Look {
  const probe = document.createElement('span');
  host.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const look = {
    hues: ['--s1', '--s2', '--s3', '--s4'].map(read),
    fg: read('--fg'),
    muted: read('--muted'),
    line: read('--line'),
    panel: read('--panel'),
    hatch: read('--hatch'),
  };
  probe.remove();
  return look;
}

/** Over the curves; `labelled`: there is room beside the plot for their names. */
export function drawOver(u: uPlot, data: ChartData, look: Look, labelled: boolean): void {
  drawLimits(u, data, look);
  drawUnit(u, data, look);
  drawLacking(u, data, look);
  if (labelled) drawLabels(u, data, look);
}

/** Where nothing is known, hatched; behind grid and curves. */
export function drawGaps(u: uPlot, data: ChartData, look: Look): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = look.hatch;
  ctx.lineWidth = 3 * devicePixelRatio;
  for (const [from, to] of data.gaps) {
    const left = Math.max(bbox.left, u.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, u.valToPos(to, 'x', true));
    if (right <= left) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (let x = left - bbox.height; x < right; x += 8 * devicePixelRatio) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

function drawLimits(u: uPlot, data: ChartData, look: Look): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.strokeStyle = ctx.fillStyle = look.fg;
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const [name, limit] of Object.entries(data.limits ?? {})) {
    const y = u.valToPos(limit, 'y', true);
    if (!Number.isFinite(y) || y < bbox.top || y > bbox.top + bbox.height) continue;
    const outer = name.length === 2;
    ctx.setLineDash(
      outer ? [6 * devicePixelRatio, 3 * devicePixelRatio] : [2 * devicePixelRatio, 4 * devicePixelRatio],
    );
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(name.toUpperCase(), bbox.left + 4, y - 3 * devicePixelRatio);
  }
  ctx.restore();
}

/** A bar along the top over the time of which a part could not be had. */
function drawLacking(u: uPlot, { lacksUntil }: ChartData, look: Look): void {
  if (lacksUntil === undefined) return;
  const { ctx, bbox } = u;
  const right = Math.min(bbox.left + bbox.width, u.valToPos(lacksUntil, 'x', true));
  if (right <= bbox.left) return;
  ctx.save();
  ctx.fillStyle = look.fg;
  ctx.fillRect(bbox.left, bbox.top, right - bbox.left, 4 * devicePixelRatio);
  ctx.font = `600 ${12 * devicePixelRatio}px system-ui, sans-serif`;
  // Above the plot, where it hides no curve; at its end, because the unit stands at the beginning.
  ctx.textAlign = 'right';
  ctx.textBaseline = 'bottom';
  const text = 'not all of it';
  if (ctx.measureText(text).width + 12 * devicePixelRatio < right - bbox.left)
    ctx.fillText(text, right, bbox.top - 3 * devicePixelRatio);
  ctx.restore();
}

/** What the numbers of the axis are. */
function drawUnit(u: uPlot, { unit }: ChartData, look: Look): void {
  const { ctx } = u;
  ctx.save();
  ctx.fillStyle = look.muted;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.fillText(unit, 4 * devicePixelRatio, 2 * devicePixelRatio);
  ctx.restore();
}

/** Each line's name at its end, moved apart where two would overlap. */
function drawLabels(u: uPlot, data: ChartData, look: Look): void {
  const { ctx, bbox } = u;
  const height = 14 * devicePixelRatio;
  const shown = data.t.findLastIndex((t) => t <= (u.scales.x?.max ?? Infinity));
  const names = tellApart(
    data.lines.map((line) => line.name),
    16,
  );
  const labels = data.lines
    .map((line, n) => {
      const last = line.avg.slice(0, shown + 1).findLast((value) => value !== null && value !== undefined);
      return { line, name: names[n] ?? '', y: last == null ? Number.NaN : u.valToPos(last, 'y', true) };
    })
    .filter(({ y }) => Number.isFinite(y))
    .sort((a, b) => a.y - b.y);
  let lowest = bbox.top - height / 2;
  ctx.save();
  ctx.font = `600 ${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  for (const { line, name, y } of labels) {
    lowest = Math.max(lowest + height, Math.min(y, bbox.top + bbox.height));
    ctx.fillStyle = look.hues[line.hue] ?? look.fg;
    ctx.fillText(name, bbox.left + bbox.width + 6 * devicePixelRatio, lowest);
  }
  ctx.restore();
}
