//! One number shared out over several, in whole parts.

use super::Overflow;

/// Shares `total` out in proportion to `weights`, in whole numbers that add up to it: each gets its quotient rounded
/// towards zero, and what is left goes one each to the largest remainders. Of equal remainders the earlier gets it, so
/// the caller's order decides ties. Where all weights are zero, everything goes to the first.
///
/// Weights are not negative; a share is never more than its weight if `total` isn't more than their sum.
///
/// # Errors
/// [`Overflow`] if a product leaves 128 bits.
pub fn share(total: i64, weights: &[i64]) -> Result<Vec<i64>, Overflow> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let mut shares = vec![0_i64; weights.len()];
    if sum == 0 {
        if let Some(first) = shares.first_mut() {
            *first = total;
        }
        return Ok(shares);
    }
    let (sign, total) = (total.signum(), i128::from(total).abs());
    let mut left = total;
    let mut remainders = Vec::with_capacity(weights.len());
    for (position, weight) in weights.iter().enumerate() {
        let product = total.checked_mul(i128::from(*weight)).ok_or(Overflow)?;
        let quotient = product / sum;
        left -= quotient;
        shares[position] = i64::try_from(quotient).map_err(|_| Overflow)?;
        remainders.push((std::cmp::Reverse(product % sum), position));
    }
    remainders.sort_unstable();
    for (_, position) in remainders.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        shares[position] += 1;
    }
    for share in &mut shares {
        *share *= sign;
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_whole_and_add_up() {
        for (total, weights, shares) in [
            (10, &[1, 1, 1][..], &[4, 3, 3][..]),
            (-10, &[1, 1, 1], &[-4, -3, -3]),
            (100, &[1, 2, 1], &[25, 50, 25]),
            (1, &[1, 3], &[0, 1]),
            (1, &[2, 2], &[1, 0]),
            (7, &[0, 5, 0], &[0, 7, 0]),
            (5, &[0, 0], &[5, 0]),
            (0, &[3, 4], &[0, 0]),
            (3, &[], &[]),
            (i64::MAX, &[i64::MAX, i64::MAX], &[i64::MAX / 2 + 1, i64::MAX / 2]),
        ] {
            assert_eq!(share(total, weights).as_deref(), Ok(shares), "{total} over {weights:?}");
        }
    }
}
