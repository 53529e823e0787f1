/**
 * Functions that WGSL has not, or promises too little for: near 1e-6 relative in f32, by polynomials, for one value or four.
 * Nothing here makes an infinity or a NaN on the way, and nothing relies on (1 + x) - 1, which compilers fold to x.
 */
import { code, element, name, paragraphs, variable, type AnyWgsl, type Code, type Name } from "../wgsl.js";

export type MathFunction =
  | "sin"
  | "cos"
  | "wave"
  | "turns"
  | "polar"
  | "tanh"
  | "expm1"
  | "log"
  | "log1p"
  | "log1p_unit"
  | "erf"
  | "phi";
export type Width = 1 | 4;
type Helper = "quarter" | "mantissa" | "product_high";

interface Definition {
  readonly needs: readonly (MathFunction | Helper)[];
  readonly declare: (types: Types) => Code;
}

/** The types of one width, and the functions of this width by what they compute. */
interface Types {
  readonly width: Width;
  readonly v: Name;
  readonly u: Name;
  readonly i: Name;
  readonly fn: (of: MathFunction | Helper) => Name;
}

/**
 * Those that are operations. Three give pairs, [0] and [1] of their results: `wave`, cosine and sine at once, where both are
 * wanted, `turns`, an angle as a fraction of a turn, and `polar`, a complex number of a size and an angle in half turns.
 */
export const MATH_FUNCTIONS: readonly MathFunction[] = [
  "sin",
  "cos",
  "tanh",
  "expm1",
  "log",
  "log1p",
  "log1p_unit",
  "erf",
  "phi",
];

const WAVES: readonly MathFunction[] = ["sin", "cos", "wave"];

/** The name of the function for values of this width, as `mathDeclarations` declares it. */
export const mathName = (of: MathFunction | Helper, width: Width): string =>
  `${of}_${width === 4 ? "vec4f" : "f32"}`;

/** Declarations of the functions used and of all that they need. */
export function mathDeclarations(used: ReadonlyMap<Width, ReadonlySet<MathFunction>>): Code {
  const declared = new Set<string>();
  const declarations: Code[] = [];
  const declare = (of: MathFunction | Helper, width: Width): void => {
    if (declared.has(mathName(of, width))) return;
    declared.add(mathName(of, width));
    for (const need of DEFINITIONS[of].needs) declare(need, width);
    declarations.push(DEFINITIONS[of].declare(typesOf(width)));
  };
  const uses = (some: readonly MathFunction[]): boolean =>
    [...used.values()].some((functions) => some.some((fn) => functions.has(fn)));
  if (uses([...WAVES, "turns"])) declarations.push(TURN_FRACTION);
  if (uses(WAVES)) declarations.push(LARGE_ANGLE);
  for (const [width, functions] of used) for (const of of [...functions].sort()) declare(of, width);
  return paragraphs(declarations);
}

function typesOf(width: Width): Types {
  const fn = (of: MathFunction | Helper): Name => name(mathName(of, width));
  return width === 1
    ? { width, v: name("f32"), u: name("u32"), i: name("i32"), fn }
    : { width, v: name("vec4f"), u: name("vec4u"), i: name("vec4i"), fn };
}

const DEFINITIONS: Readonly<Record<MathFunction | Helper, Definition>> = {
  expm1: {
    needs: [],
    // e^x - 1 = 2^k (e^r - 1) + (2^k - 1) with |r| ≤ ln 2 / 2; halved throughout, so that 2^128 is not met.
    declare: ({ v, u, i, fn }) => code`
      fn ${fn("expm1")}(x: ${v}) -> ${v} {
        let y = clamp(x, ${v}(-87.0), ${v}(88.72));
        let k = round(y * 1.442695);
        let r = (y - k * 0.693359375) + k * 2.1219444e-4;
        let e = r + r * r * (0.5 + r * (0.16666667 + r * (0.041666668 + r * (0.008333334 + r * (0.0013888889 + r * 1.984127e-4)))));
        let half = bitcast<${v}>((${i}(k) + ${i}(126)) << ${u}(23));
        return 2.0 * (half * e + (half - 0.5));
      }
    `,
  },
  tanh: {
    needs: ["expm1"],
    declare: ({ v, fn }) => code`
      fn ${fn("tanh")}(x: ${v}) -> ${v} {
        let e = ${fn("expm1")}(2.0 * min(abs(x), ${v}(10.0)));
        return sign(x) * (e / (e + 2.0));
      }
    `,
  },
  phi: {
    needs: ["expm1"],
    declare: ({ v, fn }) => code`
      // (e^z - 1) / z, which is 1 at 0.
      fn ${fn("phi")}(z: ${v}) -> ${v} {
        let zero = abs(z) < ${v}(1e-30);
        return select(${fn("expm1")}(z) / select(z, ${v}(1.0), zero), ${v}(1.0), zero);
      }
    `,
  },
  mantissa: {
    needs: [],
    declare: ({ v, u, i, fn }) => code`
      // u = 2^exponent · m with √½ ≤ m < √2.
      fn ${exponentOf(v)}(u: ${v}) -> ${i} {
        return bitcast<${i}>(bitcast<${u}>(u) - ${u}(0x3f3504f3u)) >> ${u}(23u);
      }

      fn ${fn("mantissa")}(u: ${v}, exponent: ${i}) -> ${v} {
        return bitcast<${v}>(bitcast<${i}>(u) - (exponent << ${u}(23u)));
      }

      // ln((1 + s) / (1 - s)) for |s| < 0.172.
      fn ${twiceArtanh(v)}(s: ${v}) -> ${v} {
        let z = s * s;
        return 2.0 * s * (1.0 + z * (0.33333334 + z * (0.2 + z * (0.14285715 + z * 0.11111111))));
      }
    `,
  },
  log: {
    needs: ["mantissa"],
    declare: ({ v, fn }) => code`
      fn ${fn("log")}(x: ${v}) -> ${v} {
        let u = max(x, ${v}(1.2e-38));
        let exponent = ${exponentOf(v)}(u);
        let m = ${fn("mantissa")}(u, exponent);
        return ${twiceArtanh(v)}((m - 1.0) / (m + 1.0)) + ${v}(exponent) * 0.6931472;
      }
    `,
  },
  log1p: {
    needs: ["mantissa"],
    declare: ({ v, fn }) => code`
      fn ${fn("log1p")}(x: ${v}) -> ${v} {
        let near = abs(x) < ${v}(0.29);
        let u = max(1.0 + x, ${v}(1.2e-38));
        let exponent = ${exponentOf(v)}(u);
        let m = ${fn("mantissa")}(u, exponent);
        let s = select(m - 1.0, x, near) / select(m + 1.0, x + 2.0, near);
        return ${twiceArtanh(v)}(s) + select(${v}(exponent) * 0.6931472, ${v}(0.0), near);
      }
    `,
  },
  log1p_unit: {
    needs: [],
    // By a polynomial for log1p(x) / x from 0 to 1, fitted to relative error: within 2.1e-7.
    declare: ({ v, fn }) => code`
      // ln(1 + x) for 0 ≤ x ≤ 1.
      fn ${fn("log1p_unit")}(x: ${v}) -> ${v} {
        return x * (0.99999994 + x * (-0.49999493 + x * (0.33319098 + x * (-0.24842982 + x * (0.19106004 + x * (-0.13663237 + x * (0.078225836 + x * (-0.02950516 + x * 0.0052326731))))))));
      }
    `,
  },
  erf: {
    needs: [],
    // Below 1 the Maclaurin series; above, Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
    declare: ({ v, fn }) => code`
      fn ${fn("erf")}(x: ${v}) -> ${v} {
        let y = min(abs(x), ${v}(6.0));
        let z = min(y * y, ${v}(1.0));
        let high = 0.0052239776 - z * (8.548327e-4 - z * (1.2055333e-4 - z * (1.4925651e-5 - z * (1.6462114e-6 - z * 1.6365845e-7))));
        let series = y * (1.1283792 - z * (0.37612638 - z * (0.11283792 - z * (0.026866171 - z * high))));
        let t = 1.0 / (1.0 + 0.3275911 * y);
        let tail = t * (0.2548296 + t * (-0.28449674 + t * (1.4214138 + t * (-1.453152 + t * 1.0614054)))) * exp(-y * y);
        return sign(x) * select(1.0 - tail, series, y < ${v}(1.0));
      }
    `,
  },
  sin: {
    needs: ["quarter"],
    declare: ({ v, i, fn }) =>
      code`fn ${fn("sin")}(x: ${v}) -> ${v} { return ${fn("quarter")}(x, ${i}(0)); }`,
  },
  cos: {
    needs: ["quarter"],
    declare: ({ v, i, fn }) =>
      code`fn ${fn("cos")}(x: ${v}) -> ${v} { return ${fn("quarter")}(x, ${i}(1)); }`,
  },
  quarter: {
    needs: [],
    // x = (k + r)·π/2 with |r| ≤ ½: in two parts, of which k times the first is exact, and beyond that in whole numbers.
    // The last bits of k + 1.5·2²³ are k.
    declare: ({ v, u, i, fn, width }) => code`
      fn ${fn("quarter")}(x: ${v}, ahead: ${i}) -> ${v} {
        let k = round(x * 0.63661975);
        var r = (x - k * 1.57080078125) + k * 4.4544552e-6;
        var quadrant = bitcast<${i}>(k + 12582912.0);
        ${large(
          width,
          name("large_angle"),
          (of) => code`
            ${of("r")} = angle.r;
            ${of("quadrant")} = angle.quadrant;
          `,
        )}
        quadrant += ahead;
        let z = r * r;
        let sine = r + r * z * (-0.16666655 + z * (0.00833217 - z * 1.9517e-4));
        let cosine = 1.0 + z * (-0.5 + z * (0.041666623 + z * (-0.0013886755 + z * 2.4389634e-5)));
        let wave = select(sine, cosine, (quadrant & ${i}(1)) == ${i}(1));
        return bitcast<${v}>(bitcast<${u}>(wave) ^ ((bitcast<${u}>(quadrant) << ${u}(30u)) & ${u}(0x80000000u)));
      }
    `,
  },
  wave: {
    needs: [],
    // x = (k + r)·π with |r| ≤ ½: near 1e-7 of a turn of length 1, but cosines near 0 are not known to as many digits.
    declare: ({ v, u, i, fn, width }) => code`
      fn ${fn("wave")}(x: ${v}) -> ${pairOf(width)} {
        let k = round(x * 0.31830987);
        var r = (x - k * 3.140625) - k * 9.6765359e-4;
        var half = bitcast<${i}>(k + 12582912.0);
        ${large(
          width,
          name("large_angle"),
          (of) => code`
            let ahead = select(0, select(-1, 1, angle.r > 0.0), (angle.quadrant & 1) == 1);
            ${of("r")} = angle.r - f32(ahead) * 1.5707964;
            ${of("half")} = (angle.quadrant + ahead) >> 1u;
          `,
        )}
        let z = r * r;
        let sign = bitcast<${u}>(half) << ${u}(31u);
        let cosine = 1.0 + z * (-0.49999932 + z * (0.041663974 + z * (-0.0013855798 + z * 2.3191268e-5)));
        let sine = r + r * z * (-0.1666666 + z * (0.0083330867 + z * (-1.9810994e-4 + z * 2.6086464e-6)));
        return ${pairOf(width)}(
          bitcast<${v}>(bitcast<${u}>(cosine) ^ sign), bitcast<${v}>(bitcast<${u}>(sine) ^ sign));
      }
    `,
  },
  polar: {
    needs: [],
    // The angle is (k + r)·π with |r| ≤ ½, and k says no more than the sign. The last bits of k + 1.5·2²³ are k; `abs` changes
    // nothing, but keeps compilers from folding (x + c) - c to x. From 2²² half turns on nothing is known of the angle, but the size holds. (`round` takes the few units that have to do exp2.)
    declare: ({ v, u, fn, width }) => code`
      fn ${fn("polar")}(size: ${v}, half_turns: ${v}) -> ${pairOf(width)} {
        let near = half_turns + 12582912.0;
        let r = clamp(half_turns - (abs(near) - 12582912.0), ${v}(-0.5), ${v}(0.5));
        let sign = bitcast<${u}>(near) << ${u}(31u);
        let signed = bitcast<${v}>(bitcast<${u}>(size) ^ sign);
        let z = r * r;
        let cosine = 1.0 + z * (-4.9347954 + z * (4.058451 + z * (-1.3320938 + z * 0.22008064)));
        let sine = r * (3.1415925 + z * (-5.167707 + z * (2.5500314 + z * (-0.5980452 + z * 0.077220134))));
        return ${pairOf(width)}(signed * cosine, signed * sine);
      }
    `,
  },
  product_high: {
    needs: [],
    declare: ({ u, fn }) => code`
      // The upper word of m * c for m < 2^24.
      fn ${fn("product_high")}(m: ${u}, c: u32) -> ${u} {
        let low = (m & ${u}(0xffffu)) * (c & 0xffffu);
        let right = (m & ${u}(0xffffu)) * (c >> 16u);
        let middle = (low >> ${u}(16u)) + (m >> ${u}(16u)) * (c & 0xffffu) + (right & ${u}(0xffffu));
        return (m >> ${u}(16u)) * (c >> 16u) + (right >> ${u}(16u)) + (middle >> ${u}(16u));
      }
    `,
  },
  turns: {
    needs: ["product_high"],
    // Whole numbers throughout: the mantissa times 64 bits of 1/2π, shifted to 2⁻⁶⁴ turns and rounded to 2⁻⁴⁶. The two
    // results are whole numbers of 2⁻²³ and of 2⁻⁴⁶ turns, the second at most half of the first's unit. NaN stays one.
    declare: ({ v, u, i, fn, width }) => code`
      fn ${fn("turns")}(x: ${v}) -> ${pairOf(width)} {
        let bits = bitcast<${u}>(x);
        let mantissa = (bits & ${u}(0x7fffffu)) | ${u}(0x800000u);
        let exponent = (bits >> ${u}(23u)) & ${u}(0xffu);
        let p0 = mantissa * 0x4e441529u;
        let upper = mantissa * 0xa2f9836eu;
        let p1 = upper + ${fn("product_high")}(mantissa, 0x4e441529u);
        let p2 = ${fn("product_high")}(mantissa, 0xa2f9836eu) + select(${u}(0u), ${u}(1u), p1 < upper);
        let shift = ${u}(152u) - exponent;
        let words = shift >> ${u}(5u);
        let by = shift & ${u}(31u);
        let w2 = select(${u}(0u), p2, words == ${u}(0u));
        let w1 = select(select(${u}(0u), p2, words == ${u}(1u)), p1, words == ${u}(0u));
        let w0 = select(select(select(${u}(0u), p2, words == ${u}(2u)), p1, words == ${u}(1u)), p0, words == ${u}(0u));
        var high = ((w2 << (${u}(31u) - by)) << ${u}(1u)) | (w1 >> by);
        var low = ((w1 << (${u}(31u) - by)) << ${u}(1u)) | (w0 >> by);
        ${large(
          width,
          name("turn_fraction"),
          (of) => code`
            ${of("high")} = angle.x;
            ${of("low")} = angle.y;
          `,
        )}
        let rounded = low + ${u}(0x20000u);
        high += select(${u}(0u), ${u}(1u), rounded < low);
        let fine = (high << ${u}(14u)) | (rounded >> ${u}(18u));
        let coarse = (high >> ${u}(9u)) + ((fine >> ${u}(22u)) & ${u}(1u));
        let unit = select(${v}(1.1920929e-7), ${v}(-1.1920929e-7), x < ${v}(0.0));
        let first = ${v}(bitcast<${i}>(coarse << ${u}(9u)) >> ${u}(9u)) * unit;
        let second = ${v}(bitcast<${i}>(fine << ${u}(9u)) >> ${u}(9u)) * (unit * 1.1920929e-7);
        return ${pairOf(width)}(select(first, x, exponent == ${u}(255u)), second);
      }
    `,
  },
};

const exponentOf = (v: Name): Name => name(`exponent_${v.text}`);
const twiceArtanh = (v: Name): Name => name(`twice_artanh_${v.text}`);

/** Cosine and sine, [0] and [1]. */
const pairOf = (width: Width): Name => name(width === 1 ? "vec2f" : "mat2x4f");

/** Where an angle is too large for exact multiples of a part of a turn: `set` gives each component what its `angle`, by `reduce`, says. */
function large(width: Width, reduce: Name, set: (of: (name: string) => AnyWgsl) => Code): Code {
  if (width === 1)
    return code`
      if (abs(x) > 1600.0) {
        let angle = ${reduce}(x);
        ${set(variable)}
      }
    `;
  return code`
    if (any(abs(x) > vec4f(1600.0))) {
      for (var c = 0; c < 4; c++) {
        if (abs(x[c]) > 1600.0) {
          let angle = ${reduce}(x[c]);
          ${set((of) => element(name(of), variable("c")))}
        }
      }
    }
  `;
}

/** Payne and Hanek's reduction: the bits of 2/π that matter for x, times its 24-bit mantissa, modulo 4, in whole numbers. */
const TURN_FRACTION = code`
  fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu);
    let right = (a & 0xffffu) * (b >> 16u);
    let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u);
  }

  fn two_over_pi_word(bit: u32) -> u32 {
    var words = array<u32, 8>(
      0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
    let word = min(bit >> 5u, 6u);
    let shift = bit & 31u;
    return select((words[word] << shift) | ((words[word + 1u] >> (31u - shift)) >> 1u), words[word], shift == 0u);
  }

  // The part of |x| / 2 pi behind the point, in 2^-32 and 2^-64.
  fn turn_fraction(x: f32) -> vec2u {
    let bits = bitcast<u32>(x);
    let mantissa = (bits & 0x7fffffu) | 0x800000u;
    let first = ((bits >> 23u) & 0xffu) - 120u;
    let w0 = two_over_pi_word(first);
    let w1 = two_over_pi_word(first + 32u);
    let w2 = two_over_pi_word(first + 64u);
    let middle = mantissa * w1;
    let low = middle + multiply_high(mantissa, w2);
    let carry = select(0u, 1u, low < middle);
    return vec2u(mantissa * w0 + multiply_high(mantissa, w1) + carry, low);
  }
`;

const LARGE_ANGLE = code`
  struct Angle { r: f32, quadrant: i32 }

  fn large_angle(x: f32) -> Angle {
    let turn = turn_fraction(x);
    let high = turn.x;
    let low = turn.y;
    let fraction = bitcast<i32>((high << 2u) | (low >> 30u));
    let quadrant = bitcast<i32>(high >> 30u) + select(0, 1, fraction < 0);
    let r = (f32(fraction) * 2.3283064e-10 + f32(low << 2u) * 5.421011e-20) * 1.5707964;
    return Angle(select(r, -r, x < 0.0), select(quadrant, -quadrant, x < 0.0));
  }
`;
