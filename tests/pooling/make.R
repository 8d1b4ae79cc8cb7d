# Pooled results by mice's pool() and D1() of fits to fixed completed tables: Rscript make.R, in this folder.
# Writes completed.csv (m tables, one below the other), pooled.csv (one row a coefficient) and wald.csv.
suppressMessages(library(mice))

set.seed(20261)
n <- 40
x1 <- rnorm(n)
x2 <- 0.5 * x1 + rnorm(n)
x3 <- rnorm(n)
y <- 1 + x1 - 0.5 * x2 + 0.2 * x3 + rnorm(n)
table <- data.frame(x1, x2, x3, y)
for (name in names(table)) table[[name]][runif(n) < 0.25] <- NA

imputed <- mice(table, m = 5, method = "norm", printFlag = FALSE, seed = 1)
completed <- complete(imputed, "long")[, c(".imp", names(table))]
completed[, -1] <- round(completed[, -1], 6)
write.csv(completed, "completed.csv", row.names = FALSE)

tables <- split(completed, completed$.imp)
full <- as.mira(lapply(tables, function(t) lm(y ~ x1 + x2 + x3, data = t)))
part <- as.mira(lapply(tables, function(t) lm(y ~ x1, data = t)))

pooled <- wald <- NULL
for (n_complete in c(n - 4, Inf)) {
  fit <- pool(full, dfcom = n_complete)
  figures <- summary(fit, conf.int = TRUE)
  pooled <- rbind(pooled, data.frame(
    dfcom = n_complete, term = figures$term, estimate = figures$estimate, se = figures$std.error,
    statistic = figures$statistic, df = figures$df, p = figures$p.value,
    low = figures[["2.5 %"]], high = figures[["97.5 %"]],
    within = fit$pooled$ubar, between = fit$pooled$b, total = fit$pooled$t,
    riv = fit$pooled$riv, lambda = fit$pooled$lambda, fmi = fit$pooled$fmi
  ))
  test <- D1(full, part, dfcom = n_complete)$result
  if (is.infinite(n_complete)) test <- mitml::testModels(as.mitml.result(full), as.mitml.result(part), "D1")$test
  wald <- rbind(wald, data.frame(
    dfcom = n_complete, statistic = test[1], df1 = test[2], df2 = test[3], p = test[4], riv = test[5]
  ))
}
options(digits = 15)
write.csv(pooled, "pooled.csv", row.names = FALSE)
write.csv(wald, "wald.csv", row.names = FALSE)
