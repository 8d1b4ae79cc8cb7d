# Completes tables by mice at its defaults: Rscript inference.R blank.csv done.csv m; called by inference.py.
suppressMessages(library(mice))

arguments <- commandArgs(trailingOnly = TRUE)
blank <- read.csv(arguments[1], na.strings = "", stringsAsFactors = TRUE)
done <- lapply(split(blank, blank$rep), function(table) {
  rep <- table$rep[1]
  table$rep <- NULL
  imputed <- mice(table, m = as.integer(arguments[3]), printFlag = FALSE, seed = rep + 1)
  completed <- complete(imputed, "long")
  names(completed)[names(completed) == ".imp"] <- "imp"
  cbind(rep = rep, completed[names(completed) != ".id"])
})
write.csv(do.call(rbind, done), arguments[2], row.names = FALSE)
