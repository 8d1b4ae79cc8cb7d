# Completes tables by mice at its defaults: Rscript inference.R blank.csv done.csv m; called by inference.py.
# A column whose name is among the further arguments has ordered levels. A table that mice cannot complete is left out.
suppressMessages(library(mice))

arguments <- commandArgs(trailingOnly = TRUE)
blank <- read.csv(arguments[1], na.strings = "", stringsAsFactors = TRUE)
for (name in arguments[-(1:3)]) blank[[name]] <- factor(blank[[name]], ordered = TRUE)
done <- lapply(split(blank, blank$rep), function(table) {
  rep <- table$rep[1]
  table$rep <- NULL
  started <- proc.time()
  imputed <- tryCatch(
    suppressWarnings(mice(table, m = as.integer(arguments[3]), printFlag = FALSE, seed = rep + 1)),
    error = function(e) NULL
  )
  if (is.null(imputed)) return(NULL)
  seconds <- sum((proc.time() - started)[1:2])
  completed <- complete(imputed, "long")
  names(completed)[names(completed) == ".imp"] <- "imp"
  cbind(rep = rep, seconds = seconds, completed[names(completed) != ".id"])
})
write.csv(do.call(rbind, done), arguments[2], row.names = FALSE, na = "")
