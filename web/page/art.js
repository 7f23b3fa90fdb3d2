// Drawings. Colours come from the stylesheet where they mean something, and stand here where they
// are only pretty. None carries text: words are beside them.
import { html, svg } from './vendor/lit-html.js';

const drawing = (box, inner, kind = '') => html`<svg class=${kind} viewBox=${box} aria-hidden="true" focusable="false">${inner}</svg>`;

// Outcomes. Each has its own shape and sign, so that colour is never needed to tell them apart.
const square = svg`<rect class="fill" x="6" y="6" width="88" height="88" rx="14"/>`;
const diamond = svg`<path class="fill" d="M50 3 97 50 50 97 3 50z"/>`;
const circle = svg`<circle class="fill" cx="50" cy="50" r="46"/>`;
const dashed = svg`<rect class="dash" x="7" y="7" width="86" height="86" rx="10"/>`;
const triangle = svg`<path class="fill" d="M50 5q5 0 8 6l38 72q5 11-7 12H11q-12-1-7-12l38-72q3-6 8-6z"/>`;
const house = svg`<path class="fill" d="M50 5 97 46H85v49H15V46H3z"/>`;
const octagon = svg`<path class="fill" d="M31 4h38l27 27v38L69 96H31L4 69V31z"/>`;

const signs = {
  loan: [square, svg`<path class="sign" d="m26 52 17 17 32-38"/>`],
  renewal: [square, svg`<path class="sign" d="M73 42a26 26 0 1 0 1 15"/><path class="solid" d="M82 22v26H56z"/>`],
  return: [square, svg`<path class="sign" d="M50 22v38M33 45l17 17 17-17M26 78h48"/>`],
  hold: [triangle, svg`<path class="sign" d="M50 36v28M50 79v1"/>`],
  transfer: [house, svg`<path class="sign" d="M30 62h38M54 46l16 16-16 16"/>`],
  repair: [diamond, svg`<path class="sign" d="m34 68 22-22"/><path class="solid" d="M66 27a16 16 0 0 0-19 21l6 6a16 16 0 0 0 21-19l-9 8-8-8z"/>`],
  found: [diamond, svg`<path class="sign" d="m30 44 40 0M50 24v40M36 30l28 28M64 30 36 58"/>`],
  wait: [diamond, svg`<path class="sign" d="M36 28h28L36 72h28z"/>`],
  incomplete: [diamond, svg`<path class="sign" d="M34 36h14v28H34zM58 36h10v9M68 55v9H58"/>`],
  unknown: [dashed, svg`<path class="sign" d="M36 38a14 14 0 1 1 20 13q-6 3-6 11M50 77v1"/>`],
  not_ours: [dashed, svg`<path class="sign" d="m32 32 36 36M68 32 32 68"/>`],
  already_in: [circle, svg`<path class="sign" d="m30 52 14 14 27-32"/>`],
  duplicate: [circle, svg`<path class="sign" d="M30 40h40M30 60h40"/>`],
  refused: [octagon, svg`<path class="sign" d="m32 32 36 36M68 32 32 68"/>`],
};
export const shape = outcome => signs[outcome] ? drawing('0 0 100 100', signs[outcome], 'shape') : '';

// Icons of things to tap.
const glyphs = {
  language: svg`<circle cx="24" cy="24" r="19"/><path d="M5 24h38M24 5q-17 19 0 38M24 5q17 19 0 38"/>`,
  help: svg`<circle cx="24" cy="24" r="19"/><path d="M18 19a6.500 6.500 0 1 1 9 6q-3 1.500-3 5M24 36v.5"/>`,
  return: svg`<path d="M8 30v9h32v-9M24 6v22M15 19l9 9 9-9"/>`,
  account: svg`<path d="M24 12q-8-6-18-4v30q10-2 18 4 8-6 18-4V8q-10-2-18 4zv30"/>`,
  finish: svg`<path d="m8 26 11 11 21-25"/>`,
  ok: svg`<path d="m8 26 11 11 21-25"/>`,
  renew: svg`<path d="M38 18a16 16 0 1 0 2 9M40 7v12H28"/>`,
  late: svg`<circle cx="24" cy="24" r="19"/><path d="M24 13v12l8 6"/>`,
  more_time: svg`<circle cx="24" cy="24" r="19"/><path d="M24 13v12l8 6"/>`,
  back: svg`<path class="flip" d="M42 24H8M21 10 7 24l14 14"/>`,
  erase: svg`<path d="M18 8h24v32H18L5 24zM23 18l12 12M35 18 23 30"/>`,
  undo: svg`<path class="flip" d="M10 12v13h13M11 24a15 15 0 1 1 4 12"/>`,
  print: svg`<path d="M14 17V6h20v11M14 35H6V17h36v18h-8M14 28h20v14H14z"/>`,
  no_print: svg`<path d="M12 6h16l9 9v27H12zM6 42 42 6"/>`,
  before: svg`<path d="m9 31 15-15 15 15"/>`,
  more: svg`<path d="m9 17 15 15 15-15"/>`,
  aside: svg`<path d="M6 28v12h36V28l-7-20H13zM6 28h11q0 6 7 6t7-6h11"/>`,
  clear: svg`<path d="m8 26 11 11 21-25"/>`,
  close_bin: svg`<path d="m12 12 24 24M36 12 12 36"/>`,
};
glyphs.renew_all = glyphs.renew;
export const icon = name => glyphs[name] ? drawing('0 0 48 48', glyphs[name], 'icon') : '';

// The parts of the scenes: a card with a face, a book, and the reader with its beam.
const bars = (x, y, height) => svg`<path d=${`M${x} ${y}v${height}m7 0v-${height}m5 0v${height}m9 0v-${height}m5 0v${height}m7 0v-${height}m9 0v${height}m5 0v-${height}`}
  stroke="#10203A" stroke-width="4" fill="none"/>`;

const card = svg`<g class="card-art">
  <rect x="0" y="0" width="138" height="92" rx="12" fill="#FFFFFF" stroke="#10203A" stroke-width="4"/>
  <path d="M2 12a10 10 0 0 1 10-10h114a10 10 0 0 1 10 10v14H2z" fill="#F2784B"/>
  <circle cx="32" cy="56" r="18" fill="#FFD97A" stroke="#10203A" stroke-width="3"/>
  <path d="M26 52v3M38 52v3M24 61q8 8 16 0" fill="none" stroke="#10203A" stroke-width="3" stroke-linecap="round"/>
  ${bars(66, 44, 32)}
</g>`;

const reader = svg`<g>
  <path class="beam" d="M70 52 10 150h120z" fill="#E5484D" opacity=".28"/>
  <path class="beam" d="M14 150h112" stroke="#E5484D" stroke-width="5" stroke-linecap="round"/>
  <path d="M118 34q34 6 34 40v92" fill="none" stroke="#33466B" stroke-width="16"/>
  <rect x="24" y="8" width="104" height="48" rx="22" fill="#33466B" stroke="#10203A" stroke-width="4"/>
  <rect x="44" y="42" width="52" height="10" rx="5" fill="#E5484D"/>
  <circle cx="108" cy="26" r="6" fill="#7EE0A5"/>
  <rect x="118" y="160" width="70" height="16" rx="8" fill="#33466B" stroke="#10203A" stroke-width="4"/>
</g>`;

const book = svg`<g>
  <path d="M12 0h92a8 8 0 0 1 8 8v124H20A14 14 0 0 1 6 118V12A12 12 0 0 1 12 0z" fill="#2F8F83" stroke="#10203A" stroke-width="4"/>
  <path d="M20 132a11 11 0 0 1 0-22h92v22z" fill="#FFFFFF" stroke="#10203A" stroke-width="4"/>
  <path d="m62 22 8 17 18 2-13 13 3 19-16-9-16 9 3-19-13-13 18-2z" fill="#FFD97A" stroke="#10203A" stroke-width="3" stroke-linejoin="round"/>
</g>`;

const pile = svg`<g stroke="#10203A" stroke-width="4">
  <rect x="0" y="66" width="130" height="26" rx="6" fill="#F2784B"/><path d="M14 66v26M104 66v26" />
  <rect x="12" y="40" width="112" height="26" rx="6" fill="#5B7FD4"/><path d="M30 40v26"/>
  <rect x="4" y="14" width="104" height="26" rx="6" fill="#FFD97A"/><path d="M88 14v26"/>
</g>`;

const cart = svg`<g stroke="#10203A" stroke-width="4" stroke-linejoin="round">
  <path d="M14 34h16v44H14z" fill="#F2784B"/><path d="M30 26h14v52H30z" fill="#5B7FD4"/><path d="M44 38h18v40H44z" fill="#FFD97A"/><path d="M62 30h14v48H62z" fill="#2F8F83"/>
  <path d="M0 6v76h104V6" fill="none" stroke="#33466B" stroke-width="9" stroke-linecap="round"/>
  <circle cx="18" cy="98" r="11" fill="#33466B"/><circle cx="86" cy="98" r="11" fill="#33466B"/>
</g>`;

const arrow = svg`<path class="arrow" d="M0 22h44M28 4l18 18-18 18" fill="none" stroke="#0A4FA3" stroke-width="9" stroke-linecap="round" stroke-linejoin="round"/>`;
const table = svg`<path d="M8 196h624" stroke="#D9B88A" stroke-width="14" stroke-linecap="round"/>`;
const at = (x, y, what, kind = '') => svg`<g transform=${`translate(${x} ${y})`}><g class=${kind}>${what}</g></g>`;
const room = (inner, kind = '') => drawing('0 0 640 206', svg`${table}${inner}`, `scene ${kind}`);

// The scenes, read from left to right: what to hold under the reader, and what comes then.
export const scanCard = () => room(svg`${at(30, 88, arrow)}${at(190, 12, reader)}${at(112, 70, card, 'comes')}${at(398, 88, arrow)}${at(476, 96, pile)}`);
export const scanBook = () => room(svg`${at(40, 96, pile)}${at(190, 92, arrow)}${at(330, 12, reader)}${at(266, 50, book, 'comes')}`);
export const giveBook = () => room(svg`${at(30, 88, arrow)}${at(190, 12, reader)}${at(126, 50, book, 'comes')}${at(398, 88, arrow)}${at(490, 80, cart)}`);

// Single pictures, as large as there is room.
const picture = inner => drawing('0 0 200 200', inner, 'picture');
const face = svg`<circle cx="100" cy="100" r="84" fill="#FFD97A" stroke="#10203A" stroke-width="5"/>`;
export const smile = () => picture(svg`${face}<path d="M72 78v14M128 78v14M62 116q38 44 76 0" fill="none" stroke="#10203A" stroke-width="9" stroke-linecap="round"/>`);
export const helper = () => picture(svg`<path d="M28 192q0-72 72-72t72 72z" fill="#2F8F83" stroke="#10203A" stroke-width="5"/>
  <circle cx="100" cy="76" r="46" fill="#F3C9A0" stroke="#10203A" stroke-width="5"/>
  <path d="M54 74q2-46 46-46t46 46q-22-4-34-24-18 24-58 24z" fill="#6B3F22" stroke="#10203A" stroke-width="5"/>
  <path d="M84 80v5M116 80v5M84 100q16 14 32 0" fill="none" stroke="#10203A" stroke-width="5" stroke-linecap="round"/>
  <path d="m100 150 10 6v18H90v-18z" fill="#FFFFFF"/>`);
export const moon = () => picture(svg`<circle cx="100" cy="100" r="92" fill="#22345A"/>
  <path d="M118 34a68 68 0 1 0 50 98 56 56 0 0 1-50-98z" fill="#FFD97A"/>
  <path d="m150 52 4 10 10 4-10 4-4 10-4-10-10-4 10-4zM128 92l3 7 7 3-7 3-3 7-3-7-7-3 7-3z" fill="#FFFFFF"/>`);
export const spinner = () => drawing('0 0 100 100', svg`<circle cx="50" cy="50" r="40" fill="none" stroke="#D5DEEC" stroke-width="12"/>
  <path class="turns" d="M50 10a40 40 0 0 1 40 40" fill="none" stroke="#0A4FA3" stroke-width="12" stroke-linecap="round"/>`, 'picture late');
export const books = () => drawing('-6 6 146 94', pile, 'picture wide');
export const cloud = () => drawing('0 0 48 48', svg`<path d="M14 38h22a8 8 0 0 0 1-16 13 13 0 0 0-25-2 9 9 0 0 0 2 18zM8 6l34 38"/>`, 'icon');

// ring is a clock that empties: part is what is left, from 1 to 0.
export const ring = part => drawing('0 0 200 200', svg`<circle cx="100" cy="100" r="88" fill="none" stroke="#D5DEEC" stroke-width="16"/>
  <circle class="left" cx="100" cy="100" r="88" fill="none" stroke="#0A4FA3" stroke-width="16" stroke-linecap="round"
    transform="rotate(-90 100 100)" pathLength="100" stroke-dasharray=${`${part * 100} 100`}/>`, 'ring');
