/**
 * Counts what a run of the bundled code reaches: an esbuild plugin that puts `__hits[n]++` at the start of every function and branch
 * of our own files, and of the libraries that read input for us.
 */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import type { Plugin } from "esbuild";
import ts from "typescript";
import { COUNTERS, MOST_PLACES } from "./counters.js";

const LOGICAL: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);
const INSTRUMENTED =
  /^(compiler|runtime|src|templates)\/.*\.ts$|^node_modules\/(valibot|json5)\/dist\/index\.(m?js)$/;

export function instrument(root: string): Plugin {
  let places = 0;
  const next = (): number => places++ % MOST_PLACES;
  return {
    name: "instrument",
    setup: (build) => {
      build.onLoad({ filter: /\.(ts|m?js)$/ }, ({ path }) => {
        if (!INSTRUMENTED.test(relative(root, path))) return undefined;
        const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
        const { transformed } = ts.transform(file, [(context) => (source) => counted(source, context, next)]);
        const [result] = transformed;
        if (result === undefined) return undefined;
        return { contents: ts.createPrinter().printFile(result), loader: "ts" };
      });
    },
  };
}

function counted(
  source: ts.SourceFile,
  context: ts.TransformationContext,
  next: () => number,
): ts.SourceFile {
  const { factory: f } = context;
  const count = (): ts.Expression =>
    f.createPostfixIncrement(f.createElementAccessExpression(f.createIdentifier(COUNTERS), next()));
  const first = (expression: ts.Expression): ts.Expression =>
    f.createParenthesizedExpression(f.createComma(count(), f.createParenthesizedExpression(expression)));
  const block = (body: ts.Statement): ts.Block =>
    f.createBlock(
      [f.createExpressionStatement(count()), ...(ts.isBlock(body) ? body.statements : [body])],
      true,
    );

  const visit = (node: ts.Node): ts.Node => {
    const inner = ts.visitEachChild(node, visit, context);
    if (ts.isIfStatement(inner)) {
      const otherwise = inner.elseStatement === undefined ? undefined : block(inner.elseStatement);
      return f.updateIfStatement(inner, inner.expression, block(inner.thenStatement), otherwise);
    }
    if (ts.isConditionalExpression(inner))
      return f.createConditionalExpression(
        inner.condition,
        undefined,
        first(inner.whenTrue),
        undefined,
        first(inner.whenFalse),
      );
    if (ts.isBinaryExpression(inner) && LOGICAL.has(inner.operatorToken.kind))
      return f.createBinaryExpression(inner.left, inner.operatorToken, first(inner.right));
    if (ts.isCaseClause(inner))
      return f.updateCaseClause(inner, inner.expression, [
        f.createExpressionStatement(count()),
        ...inner.statements,
      ]);
    if (ts.isArrowFunction(inner)) {
      const body = ts.isBlock(inner.body) ? block(inner.body) : first(inner.body);
      return f.updateArrowFunction(
        inner,
        inner.modifiers,
        inner.typeParameters,
        inner.parameters,
        inner.type,
        inner.equalsGreaterThanToken,
        body,
      );
    }
    // Of function and method bodies; a constructor's may have to begin with `super`.
    if (ts.isBlock(inner) && (ts.isFunctionDeclaration(node.parent) || ts.isMethodDeclaration(node.parent)))
      return block(inner);
    return inner;
  };
  return ts.visitEachChild(source, visit, context);
}
