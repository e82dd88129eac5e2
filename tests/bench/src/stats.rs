//! Medians, percentiles and Welch's t.

/// The value below which `percent` of the values lie; 0 of none.
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (percent / 100.0 * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    percentile(&values, 50.0)
}

/// How far the means of two samples are apart, in standard errors.
pub(crate) fn welch_t(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, error_a), (mean_b, error_b)) = (mean_and_squared_error(a), mean_and_squared_error(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

fn mean_and_squared_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!((median(values), percentile(&values, 99.0), percentile(&values, 0.0)), (3.0, 5.0, 1.0));
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn t_is_the_difference_in_standard_errors() {
        // Means 2 and 5, variances 1 and 4, three values each: -3 / sqrt(1/3 + 4/3).
        let t = welch_t(&[1.0, 2.0, 3.0], &[3.0, 5.0, 7.0]);
        assert!((t + 3.0 / (5.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{t}");
    }
}
