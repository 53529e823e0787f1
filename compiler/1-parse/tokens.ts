/** The words of the language, as chevrotain's token types. */
import { createToken, type ITokenConfig, type IToken, Lexer, type TokenType } from "chevrotain";

const vocabulary: TokenType[] = [];

function token(config: ITokenConfig): TokenType {
  const type = createToken(config);
  vocabulary.push(type);
  return type;
}

// Categories: what the grammar treats alike.
export const InfixOperator = token({ name: "InfixOperator", pattern: Lexer.NA });
export const PrefixOperator = token({ name: "PrefixOperator", pattern: Lexer.NA });
export const AssignOperator = token({ name: "AssignOperator", pattern: Lexer.NA });
export const AxisKeyword = token({ name: "AxisKeyword", pattern: Lexer.NA });
export const ClauseKeyword = token({ name: "ClauseKeyword", pattern: Lexer.NA });

// What separates words. Newlines and comments reach the layout, which decides what they mean.
export const Space = token({ name: "Space", pattern: /[ \t\f\u00a0\ufeff]+/, group: Lexer.SKIPPED });
export const Newline = token({ name: "Newline", pattern: /\r\n|\r|\n/, line_breaks: true });
export const DocComment = token({ name: "DocComment", pattern: /##[^\r\n]*/ });
export const Comment = token({ name: "Comment", pattern: /#[^\r\n]*/ });

// Other languages' spellings, which `lex` reports and reads as ours.
export const ForeignComment = token({ name: "ForeignComment", pattern: /\/\/[^\r\n]*/ });
export const ForeignString = token({ name: "ForeignString", pattern: /'[^'\r\n]*'|“[^“”\r\n]*”/ });
export const Foreign = token({
  name: "Foreign",
  pattern: /&&|\|\||===|\*\*=?|[-*/]=|;|!(?!=)|[−×·⋅≤≥≠→⇒]/,
});

// Names first: keywords give way to longer names. A name may end in `'`, which marks a copy of an axis.
export const Identifier = createToken({ name: "Identifier", pattern: /[A-Za-z_]\w*'*/ });

const keywords = new Map<string, TokenType>();
function keyword(word: string, category?: TokenType | TokenType[]): TokenType {
  const type = token({
    name: word.charAt(0).toUpperCase() + word.slice(1),
    pattern: word,
    longer_alt: Identifier,
    ...(category === undefined ? {} : { categories: category }),
  });
  keywords.set(word, type);
  return type;
}

export const Use = keyword("use");
export const Const = keyword("const");
export const Axis = keyword("axis");
export const Fn = keyword("fn");
export const Rule = keyword("rule");
export const Block = keyword("block");
export const Model = keyword("model");
export const Input = keyword("input");
export const Output = keyword("output");
export const Param = keyword("param");
export const State = keyword("state");
export const Der = keyword("der");
export const Repeat = keyword("repeat");
export const If = keyword("if");
export const Else = keyword("else");
export const Return = keyword("return");
export const From = keyword("from");
export const With = keyword("with");
export const At = keyword("at");
export const By = keyword("by");
export const Over = keyword("over", AxisKeyword);
export const Along = keyword("along", AxisKeyword);
export const As = keyword("as", AxisKeyword);
export const Where = keyword("where", ClauseKeyword);
export const Init = keyword("init", ClauseKeyword);
export const And = keyword("and", InfixOperator);
export const Or = keyword("or", InfixOperator);
export const In = keyword("in", InfixOperator);
export const Not = keyword("not", PrefixOperator);

/** `_`, where stacked parameters stack. */
export const StackSlot = token({ name: "StackSlot", pattern: "_", longer_alt: Identifier });
vocabulary.push(Identifier);

/** With what may be stuck to a number by mistake, so that `lex` can say what is wrong with it. */
export const NumberLiteral = token({
  name: "NumberLiteral",
  pattern: /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+|\w+)?/,
});
export const StringLiteral = token({ name: "StringLiteral", pattern: /"[^"\r\n]*"/ });
export const UnterminatedString = token({ name: "UnterminatedString", pattern: /"[^"\r\n]*/ });

const symbol = (name: string, pattern: string, categories: TokenType[] = []): TokenType =>
  token({ name, pattern, categories });

export const Arrow = symbol("Arrow", "->");
export const FatArrow = symbol("FatArrow", "=>");
export const Range = symbol("Range", "..");
export const EqualEqual = symbol("EqualEqual", "==", [InfixOperator]);
export const NotEqual = symbol("NotEqual", "!=", [InfixOperator]);
export const LessEqual = symbol("LessEqual", "<=", [InfixOperator]);
export const GreaterEqual = symbol("GreaterEqual", ">=", [InfixOperator]);
export const Rebind = symbol("Rebind", ":=", [AssignOperator]);
export const AddAssign = symbol("AddAssign", "+=", [AssignOperator]);
export const Equal = symbol("Equal", "=", [AssignOperator]);
export const Less = symbol("Less", "<", [InfixOperator]);
export const Greater = symbol("Greater", ">", [InfixOperator]);
export const Plus = symbol("Plus", "+", [InfixOperator]);
export const Minus = symbol("Minus", "-", [InfixOperator, PrefixOperator]);
export const Star = symbol("Star", "*", [InfixOperator]);
export const Slash = symbol("Slash", "/", [InfixOperator]);
export const Percent = symbol("Percent", "%", [InfixOperator]);
export const Caret = symbol("Caret", "^", [InfixOperator]);
export const Colon = symbol("Colon", ":");
export const Comma = symbol("Comma", ",");
export const Pipe = symbol("Pipe", "|");
export const LeftParen = symbol("LeftParen", "(");
export const RightParen = symbol("RightParen", ")");
export const LeftSquare = symbol("LeftSquare", "[");
export const RightSquare = symbol("RightSquare", "]");
export const LeftCurly = symbol("LeftCurly", "{");
export const RightCurly = symbol("RightCurly", "}");

/** All token types, in the order in which the lexer tries them. */
export const tokenVocabulary: readonly TokenType[] = vocabulary;

export const isKeyword = (type: TokenType): boolean => keywords.get(type.name.toLowerCase()) === type;

/** Words that begin a statement, for layout and for suggestions. */
export const statementKeywords: ReadonlySet<TokenType> = new Set([
  Use,
  Const,
  Axis,
  Fn,
  Rule,
  Block,
  Model,
  Input,
  Output,
  Param,
  State,
  Der,
  Repeat,
  If,
  Return,
]);

const openers = new Map<TokenType, TokenType>([
  [LeftParen, RightParen],
  [LeftSquare, RightSquare],
  [LeftCurly, RightCurly],
]);
const closers = new Map([...openers].map(([opener, closer]) => [closer, opener]));
export const closerOf = (opener: TokenType): TokenType | undefined => openers.get(opener);
export const openerOf = (closer: TokenType): TokenType | undefined => closers.get(closer);

/** One past the last character. */
export const endOf = (of: IToken): number => (of.endOffset ?? of.startOffset - 1) + 1;

/** How many brackets of all kinds enclose a token; a bracket counts as outside of itself. Set by the layout. */
export const depthOf = (of: IToken): number => (typeof of.payload === "number" ? of.payload : 0);
export function setDepth(of: IToken, depth: number): void {
  of.payload = depth;
}

/** What the lexer has reported already: the parser says nothing more of these tokens. */
export const isReported = (of: IToken): boolean => of.isInsertedInRecovery === true;
export function setReported(of: IToken): void {
  of.isInsertedInRecovery = true;
}
