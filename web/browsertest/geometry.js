// Measures every text and every target on the page against a ruler, and says what is wrong.
(async ruler => {
  await document.fonts.ready;
  const capitalOfNotoSans = 0.714; // of the font size
  const sideways = 1, upright = 4; // px that a glyph's box may stick out of what clips it
  const found = [];
  const name = e => `${e.tagName.toLowerCase()}${e.className && typeof e.className === 'string' ? '.' + e.className.replaceAll(' ', '.') : ''} "${e.textContent.trim().slice(0, 50)}"`;
  const say = (what, e, more = '') => found.push(`${what}: ${name(e)} ${more}`);
  const ownText = e => [...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
  // Words that are there for the ear only are clipped to nothing, in the one way that says so.
  const forTheEar = e => e && (getComputedStyle(e).clipPath === 'inset(50%)' || forTheEar(e.parentElement));
  const seen = e => e.checkVisibility({ visibilityProperty: true }) && !forTheEar(e);

  // What is left of the screen for an element, after all that cuts off around it.
  const window_ = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  function room(e) {
    const r = { ...window_ };
    for (let a = e; a; a = a.parentElement) {
      const style = getComputedStyle(a);
      if (a === document.body || a === document.documentElement || style.overflow === 'visible') continue;
      const b = a.getBoundingClientRect();
      r.left = Math.max(r.left, b.left); r.right = Math.min(r.right, b.right);
      r.top = Math.max(r.top, b.top); r.bottom = Math.min(r.bottom, b.bottom);
    }
    return r;
  }

  function measureText(e, text) {
    const range = document.createRange();
    range.selectNodeContents(text);
    const inside = room(e);
    for (const b of range.getClientRects()) {
      if (b.left < inside.left - sideways || b.right > inside.right + sideways || b.top < inside.top - upright || b.bottom > inside.bottom + upright) {
        say('clipped', e, JSON.stringify([b.left, b.top, b.right, b.bottom].map(Math.round)));
        continue;
      }
      const top = document.elementFromPoint((b.left + b.right) / 2, (b.top + b.bottom) / 2);
      if (!top || !(top === e || top.contains(e) || e.contains(top))) say('covered', e, top ? 'by ' + name(top) : '');
      // Text must also stay within the box that is drawn for it.
      const box = e.closest('button, li, .card, .hero, .stage, [data-box]')?.getBoundingClientRect();
      if (box && (b.left < box.left - sideways || b.right > box.right + sideways || b.top < box.top - upright || b.bottom > box.bottom + upright)) say('out of its box', e);
    }
    const size = parseFloat(getComputedStyle(e).fontSize) * capitalOfNotoSans / ruler.pxPerMM;
    if (size < ruler.capital) say('too small', e, `${size.toFixed(2)} mm`);
  }

  const all = [...document.body.querySelectorAll('*')].filter(seen);
  for (const e of all) for (const text of ownText(e)) measureText(e, text);

  const targets = all.filter(e => e.matches('button, a[href], [role=button]'));
  for (const e of targets) {
    const b = e.getBoundingClientRect();
    const width = b.width / ruler.pxPerMM, height = b.height / ruler.pxPerMM;
    if (width < ruler.target - 0.05 || height < ruler.target - 0.05) say('small target', e, `${width.toFixed(1)} x ${height.toFixed(1)} mm`);
    if (b.left < -1 || b.top < -1 || b.right > innerWidth + 1 || b.bottom > innerHeight + 1) say('target outside', e);
  }
  for (const [i, e] of targets.entries()) for (const f of targets.slice(i + 1)) {
    const a = e.getBoundingClientRect(), b = f.getBoundingClientRect();
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) say('overlapping targets', e, name(f));
  }

  const pictures = all.filter(e => e.tagName === 'svg');
  for (const e of pictures) {
    const b = e.getBoundingClientRect();
    if (b.width < 20 || b.height < 20) say('picture squeezed', e, `${e.getAttribute('class')} ${Math.round(b.width)} x ${Math.round(b.height)} px`);
    if (b.left < -1 || b.top < -1 || b.right > innerWidth + 1 || b.bottom > innerHeight + 1) say('picture outside', e, e.getAttribute('class'));
  }

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth || root.scrollHeight > innerHeight) say('overflow', root, `${root.scrollWidth} x ${root.scrollHeight}`);
  for (const e of all) {
    if (e.closest('svg') || getComputedStyle(e).overflow === 'visible') continue;
    if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + upright) say('overflow', e, `${e.scrollWidth} x ${e.scrollHeight} in ${e.clientWidth} x ${e.clientHeight}`);
  }
  return [...new Set(found)];
})
